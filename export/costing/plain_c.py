"""Cycles of layers in plain C: counts of statements and loops, times the cycles of each as GCC compiles it.

The prices were fitted to simulated layers by `python -m benchmarks.cycles.plain_c`, which writes plain_c_prices.json
and says how far they are off.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from export.targets import Core

LAYER = "layer"  # the unit that every layer has one of
BORDER = "border"
"""Stands for a kind: the units of a border that a layer of any kind fills around its output."""


@dataclass(frozen=True)
class PlainPrices:
    """What units of work cost.

    Attributes:
        cycles: Of a unit, by core, kind of layer (or `BORDER`) and unit. What is missing was never measured.
        code_bytes: Of a layer without its constants, by its kind.
    """

    cycles: Mapping[str, Mapping[str, Mapping[str, float]]]
    code_bytes: Mapping[str, int]


@cache
def plain_prices() -> PlainPrices:
    """The prices that were measured."""
    text = resources.files("export").joinpath("costing/plain_c_prices.json").read_text(encoding="utf-8")
    return PlainPrices(**json.loads(text))


@dataclass(frozen=True)
class PlainCost:
    """What one layer takes with memories that never wait."""

    cycles: int
    flash_bytes: int


def plain_cost(kind: str, work: Mapping[str, int], core: Core) -> PlainCost | None:
    """The price of a layer; None on cores that have none, and where it does what was never measured.

    Args:
        kind: Of the layer.
        work: How often it does what, see `csource.work`.
        core: What it runs on.
    """
    prices = plain_prices()
    units = prices.cycles.get(core.name, {}).get(kind)
    done = {unit: count for unit, count in work.items() if count and unit != "bytes"}
    if units is None:
        return None
    known = {**prices.cycles[core.name].get(BORDER, {}), **units}
    if any(unit not in known for unit in done):
        return None
    cycles = units[LAYER] + sum(known[unit] * count for unit, count in done.items())
    return PlainCost(round(cycles), prices.code_bytes.get(kind, 0) + work.get("bytes", 0))
