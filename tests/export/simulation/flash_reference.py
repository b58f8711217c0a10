"""What an access to the flash waits, in plain Python: the model of `flash_model.h` written down once more."""

from __future__ import annotations

from export.targets import Cache, Flash, Prefetch, Reading


class _Lines:
    """Lines of a cache, most recently used first in each set: tag -> pieces that are there."""

    def __init__(self, cache: Cache | None, width: int) -> None:
        self._cache = cache
        self._pieces = 1 if cache is None else cache.line // width
        self._sets: list[dict[int, set[int]]] = [{} for _ in range(cache.sets if cache else 0)]

    def holds(self, piece: int, *, use: bool) -> bool:
        if self._cache is None:
            return False
        tag = piece // self._pieces
        lines = self._sets[tag % len(self._sets)]
        if tag not in lines:
            return False
        if use:
            lines[tag] = lines.pop(tag)
        return piece in lines[tag]

    def keep(self, piece: int) -> None:
        if self._cache is None:
            return
        tag = piece // self._pieces
        lines = self._sets[tag % len(self._sets)]
        lines[tag] = lines.pop(tag, set()) | {piece}
        if len(lines) > self._cache.ways:
            del lines[next(iter(lines))]


class FlashReference:
    """One flash by one reading of the documents."""

    def __init__(self, flash: Flash, reading: Reading) -> None:
        self._prefetch = flash.prefetch
        self._reading = reading
        self._code = _Lines(flash.code, flash.width)
        self._constants = self._code if flash.shared else _Lines(flash.constants, flash.width)
        self._buffered = flash.constants is None
        self._executed: int | None = None
        self._loaded: int | None = None
        self._ahead: tuple[int, int] | None = None  # piece, and when it is there
        self._free = 0

    def fetch(self, piece: int, now: int) -> int:
        if piece == self._executed:
            return 0
        self._executed = piece
        if self._code.holds(piece, use=True):
            if self._prefetch is Prefetch.BESIDE:
                self._read_ahead(piece + 1, now)
            return 0
        waited = self._take(piece, now, self._code)
        if waited is None:
            waited = self._read(now)
            self._code.keep(piece)
        self._read_ahead(piece + 1, now + waited)
        return waited

    def load(self, piece: int, now: int) -> int:
        if self._constants.holds(piece, use=True) or (self._buffered and piece == self._loaded):
            return 0
        self._loaded = piece
        waited = self._take(piece, now, self._constants) if self._constants is self._code else None
        interrupted = None
        if waited is None:
            before = self._ahead
            waited = self._read(now)
            interrupted = before if self._ahead is None else None
            self._constants.keep(piece)
        if self._reading.constants_ahead:
            self._read_ahead(piece + 1, now + waited)
        elif interrupted is not None:
            self._read_ahead(interrupted[0], now + waited)
        return waited

    def _take(self, piece: int, now: int, lines: _Lines) -> int | None:
        """What a piece that was read ahead waits; None for another one."""
        if self._ahead is None or self._ahead[0] != piece:
            return None
        waited = max(0, self._ahead[1] - now)
        self._ahead = None
        if waited or self._reading.absorbs:
            lines.keep(piece)
        return waited

    def _read(self, now: int) -> int:
        start = max(now, self._free)
        if self._reading.aborts and self._ahead is not None and self._ahead[1] > now:
            self._ahead, start = None, now
        self._free = start + self._reading.waits + 1
        return start + self._reading.waits - now

    def _read_ahead(self, piece: int, now: int) -> None:
        if self._prefetch is Prefetch.NONE or (self._ahead is not None and self._ahead[0] == piece):
            return
        if self._prefetch is Prefetch.BESIDE and self._code.holds(piece, use=False):
            return
        start = max(now + 1, self._free)
        self._ahead = (piece, start + self._reading.waits)
        self._free = start + self._reading.waits + 1
