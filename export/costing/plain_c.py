"""Cycles of layers in plain C: counts of statements and loops, times the cycles of each as GCC compiles it.

The prices were fitted to simulated layers by `python -m benchmarks.cycles.plain_c`, which writes `plain_c_prices`
and says how far they are off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from export.costing.plain_c_prices import CODE_BYTES, CYCLES
from export.targets import Core

LAYER = "layer"  # the unit that every layer has one of


@dataclass(frozen=True)
class PlainCost:
    """What one layer takes with memories that never wait."""

    cycles: int
    flash_bytes: int


def plain_cost(kind: str, work: Mapping[str, int], core: Core) -> PlainCost | None:
    """The price of a layer, or None on cores that have none (and while a new unit has not been measured).

    Args:
        kind: of the layer.
        work: how often it does what, see `csource.work`.
        core: what it runs on.
    """
    prices = CYCLES.get(core.name, {}).get(kind)
    if prices is None or any(unit not in prices for unit in work if unit != "bytes"):
        return None
    cycles = prices[LAYER] + sum(prices[unit] * count for unit, count in work.items() if unit != "bytes")
    return PlainCost(round(cycles), CODE_BYTES.get(kind, 0) + work.get("bytes", 0))
