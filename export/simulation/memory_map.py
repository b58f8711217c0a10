"""The memory that the blocks of a program read: pieces of the flash, and the memory that each load reaches."""

from __future__ import annotations

import numpy as np

from export.simulation.accesses import Access
from export.simulation.listing import Listing
from export.simulation.tracer import SEEN_FLASH, Description, Touch
from export.targets import Flash, Memory, Timing, entered, issue_cycles
from export.targets.assembly import decode


class MemoryMap:
    """Describes blocks to the tracer, and takes back what it saw.

    Args:
        listing: The program's code.
        flash_ends: First address of the flash that is used and the first behind it.
        flash: How the flash waits, or None if nothing does.
        timing: The core's pipeline.
    """

    def __init__(
        self, listing: Listing, flash_ends: tuple[int, int], flash: Flash | None, timing: Timing
    ) -> None:
        self._listing = listing
        self._ends = range(*flash_ends)
        self._flash = flash
        self._timing = timing
        self._loads: list[int] = []  # number of a load with a register -> address of its instruction
        self._memories: dict[int, Memory] = {}

    def describe(self, address: int, size: int) -> Description:
        """Returns what a block touches: each piece of its code, its constants, its loads through registers."""
        accesses = {access.instruction: access for access in self._listing.accesses(address, size)}
        lines = self._listing.block(address, size)
        code = [decode(line.mnemonic, line.operands, 8 * line.length) for line in lines]
        cycles = issue_cycles(code, self._timing, before=entered(address))
        leaves = issue_cycles(code, self._timing, True, entered(address))[-1]
        width = self._flash.width if self._flash is not None and address in self._ends else None
        touches = []
        fetched = -1
        for line, cycle in zip(lines, cycles, strict=False):
            for half in range(line.address, line.address + line.length, 2):
                if width is not None and half // width != fetched:
                    fetched = half // width
                    touches.append(Touch(offset=half, size=1, reg=-1, cycle=cycle, code=1))
            if line.address in accesses:
                touches += self._constants(accesses[line.address], cycle)
        return Description(touches, cycles[-1], leaves)

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

    def _constants(self, access: Access, cycle: int) -> list[Touch]:
        if access.register is None:
            inside = access.offset in self._ends
            self._memories[access.instruction] = Memory.FLASH if inside else Memory.SRAM
            waits = inside and access.size > 0 and self._flash is not None
            return [Touch(offset=access.offset, size=access.size, reg=-1, cycle=cycle)] if waits else []
        self._loads.append(access.instruction)
        number = len(self._loads) - 1
        return [
            Touch(offset=access.offset, size=access.size, reg=access.register, access=number, cycle=cycle)
        ]
