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


@dataclass(frozen=True)
class PlainPrices:
    """What units of work cost.

    Attributes:
        cycles: Of a unit, by core, kind of layer and unit. A unit that is missing was never measured.
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
    """The price of a layer, or None on cores that have none (and while a new unit has not been measured).

    Args:
        kind: Of the layer.
        work: How often it does what, see `csource.work`.
        core: What it runs on.
    """
    prices = plain_prices()
    units = prices.cycles.get(core.name, {}).get(kind)
    if units is None or any(unit not in units for unit in work if unit != "bytes"):
        return None
    cycles = units[LAYER] + sum(units[unit] * count for unit, count in work.items() if unit != "bytes")
    return PlainCost(round(cycles), prices.code_bytes.get(kind, 0) + work.get("bytes", 0))
