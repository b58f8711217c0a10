"""Addresses from a base register in straight-line code."""

from __future__ import annotations

from export.kernels.language import NEAR
from export.kernels.straight_line import StraightLine

_STEP = NEAR // 4 * 4


class Addresses:
    """Offsets from a base register; what a load does not reach gets a base of its own, kept until the next one."""

    def __init__(self, block: StraightLine, base: str) -> None:
        self._block = block
        self._base = base
        self._far, self._start = base, 0

    def at(self, offset: int) -> tuple[str, int]:
        """A register or value and the distance from it, within reach of a load."""
        if 0 <= offset <= NEAR:
            return self._base, offset
        if not 0 <= offset - self._start <= NEAR:
            if offset < self._start:
                self._far, self._start = self._base, 0
            while offset - self._start > NEAR:
                self._far = self._block.value("POINT", self._far, _STEP)
                self._start += _STEP
        return self._far, offset - self._start
