"""What the blocks of a program read: lines for the cache, and which memory each load turns out to reach."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from export.simulate.accesses import Access
from export.simulate.listing import Listing
from export.simulate.tracer import SEEN_FLASH, Touch
from export.targets import InstructionCache, Memory


class MemoryMap:
    """Describes blocks to the tracer, and takes back what it saw.

    Args:
        listing: The program's code.
        flash: First address of the flash and the first behind it.
        cache: The instruction cache, or None for none.
    """

    def __init__(self, listing: Listing, flash: tuple[int, int], cache: InstructionCache | None) -> None:
        self._listing = listing
        self._flash = range(*flash)
        self._cache = cache
        self._loads: list[int] = []  # number of a load with a register -> address of its instruction
        self._memories: dict[int, Memory] = {}

    def describe(self, address: int, size: int) -> Sequence[Touch]:
        """Returns what a block touches: each line of its code, its constants, its loads through registers."""
        accesses = {access.instruction: access for access in self._listing.accesses(address, size)}
        touches = []
        fetched = -1
        for line in self._listing.block(address, size):
            for half in range(line.address, line.address + line.length, 2):
                if self._cache and half // self._cache.line != fetched:
                    fetched = half // self._cache.line
                    touches.append(Touch(offset=half, size=1, reg=-1))
            if line.address in accesses:
                touches += self._constants(accesses[line.address])
        return touches

    def memories(self, seen: np.ndarray) -> dict[int, Memory]:
        """Returns the memory each load reads by its address; absent where it is not known.

        Args:
            seen: uint8 [loads]: what the tracer saw of them, in the order `describe` numbered them.
        """
        found = dict(self._memories)
        for instruction, bits in zip(self._loads, seen.tolist(), strict=True):
            if bits:
                found[instruction] = Memory.FLASH if bits == SEEN_FLASH else Memory.SRAM
        return found

    @property
    def load_count(self) -> int:
        """How many loads through registers have been described."""
        return len(self._loads)

    def _constants(self, access: Access) -> list[Touch]:
        if access.register is None:
            inside = access.offset in self._flash
            self._memories[access.instruction] = Memory.FLASH if inside else Memory.SRAM
            cached = inside and access.size > 0 and self._cache is not None and self._cache.literals
            return [Touch(offset=access.offset, size=access.size, reg=-1)] if cached else []
        self._loads.append(access.instruction)
        return [
            Touch(offset=access.offset, size=access.size, reg=access.register, access=len(self._loads) - 1)
        ]
