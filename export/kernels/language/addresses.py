"""Addresses from a base register in straight-line code."""

from __future__ import annotations

from export.kernels.language.straight_line import StraightLine

_PAGE = 4096  # what the offset of a load or store reaches; multiples of it are immediates of one addition


class Addresses:
    """Offsets from a base register; what a load does not reach gets a base of its own, kept until the next one."""

    def __init__(self, block: StraightLine, base: str) -> None:
        self._block = block
        self._base = base
        self._far, self._page = base, 0

    def at(self, offset: int) -> tuple[str, int]:
        """A register or value and the distance from it, within reach of a load.

        Args:
            offset: Bytes, not negative and less than a megabyte.
        """
        page, inside = divmod(offset, _PAGE)
        if page == 0:
            return self._base, offset
        if page != self._page:
            self._far, self._page = self._block.value("BASE", self._base, page * _PAGE), page
        return self._far, inside
