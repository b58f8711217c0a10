"""Prices of plain C."""

from __future__ import annotations

from typing import Literal

import pytest

from export.costing import plain_c
from export.costing.plain_c import BORDER, LAYER, PlainPrices, plain_cost
from export.frontend import read_tflite
from export.operators.table import operator_of
from export.passes import run_passes
from export.schedule.network import Requirements, price_network
from export.schedule.stage_work import work_of
from export.targets import get_core, resolve
from tests.export.models.networks import single_op_models
from tests.export.models.recipes import all_at_once

PRICES = {"move": {"move": 5.0, "move loop": 3.0, LAYER: 10.0}, BORDER: {"border element": 4.0}}


@pytest.fixture
def _prices(monkeypatch: pytest.MonkeyPatch) -> None:
    held = PlainPrices({"cortex-m4": PRICES}, {"move": 60})
    monkeypatch.setattr(plain_c, "plain_prices", lambda: held)


@pytest.mark.usefixtures("_prices")
def test_a_layer_costs_what_its_units_do() -> None:
    work = {"move": 20, "move loop": 2, "move far": 0, "bytes": 8}
    cost = plain_cost("move", work, get_core("cortex-m4"))
    assert cost is not None
    assert (cost.cycles, cost.flash_bytes) == (116, 68)
    bordered = plain_cost("move", {**work, "border element": 3}, get_core("cortex-m4"))
    assert bordered is not None
    assert bordered.cycles == 128


@pytest.mark.usefixtures("_prices")
def test_what_was_never_measured_has_no_price() -> None:
    assert plain_cost("move", {"move": 20, "move far": 1}, get_core("cortex-m4")) is None
    assert plain_cost("fill", {"move": 20}, get_core("cortex-m4")) is None
    assert plain_cost("move", {"move": 20}, get_core("cortex-m33")) is None


@pytest.mark.parametrize("core", ["cortex-m33", "cortex-m4", "cortex-m7"])
@pytest.mark.parametrize("activations", ["int8", "int16"])
def test_every_layer_has_a_price(core: str, activations: Literal["int8", "int16"]) -> None:
    target = resolve(core)
    requirements = Requirements(target, activations)
    missing = []
    for model in (all_at_once(), *single_op_models().values()):
        graph = run_passes(read_tflite(model))
        for stage in price_network(graph, requirements, lambda *of, **options: []).stages:
            if stage.op is not None and operator_of(stage.op).emit is None:
                continue  # has kernels for all it may be
            work = work_of(graph, stage)
            if plain_cost(stage.kind, work, target.core) is None:
                missing.append((stage.kind, dict(work)))
    assert missing == []
