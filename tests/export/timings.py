"""Timing tables of cores that have one."""

from __future__ import annotations

from export.targets import CORES, Timing


def timing_of(core: str) -> Timing:
    """The timing table of a core."""
    timing = CORES[core].timing
    assert timing is not None, f"{core} has no timing table"
    return timing
