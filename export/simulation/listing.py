"""The instructions of a linked image by address."""

from __future__ import annotations

from dataclasses import dataclass, field

import capstone

from export.artifact.linked_elf import LinkedElf
from export.errors import SimulationError
from export.simulation.accesses import Access, Line, block_accesses


@dataclass(frozen=True)
class Listing:
    """Disassembled code.

    Attributes:
        regions: First address and bytes of each segment of code.
    """

    regions: tuple[tuple[int, int], ...]
    _image: LinkedElf = field(repr=False)
    _lines: dict[int, Line] = field(repr=False)

    def block(self, address: int, size: int) -> list[Line]:
        """Returns the instructions of a block.

        Args:
            address: Of its first instruction.
            size: Its bytes.

        Raises:
            SimulationError: Something there is no code.
        """
        lines = []
        end = address + size
        while address < end:
            line = self._lines.get(address)
            if line is None:
                raise SimulationError(
                    f"executed {address:#010x}, which the disassembler takes for no instruction"
                )
            lines.append(line)
            address += line.length
        return lines

    def accesses(self, address: int, size: int) -> list[Access]:
        """Returns the loads of a block whose addresses are known but for a register's value at its entry.

        Raises:
            SimulationError: Something there is no code, or an instruction without known timing.
        """
        return block_accesses(self.block(address, size), self._image.word_at)


def disassemble(image: LinkedElf) -> Listing:
    """Disassembles all code of an image."""
    engine = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    code = [segment for segment in image.segments if segment.executable]
    lines = {}
    for start, stop in image.code_ranges:
        segment = next(s for s in code if s.address <= start < s.address + len(s.data))
        content = segment.data[start - segment.address : stop - segment.address]
        for address, length, mnemonic, operands in engine.disasm_lite(content, start):
            lines[address] = Line(address, length, mnemonic, operands)
    return Listing(tuple((segment.address, len(segment.data)) for segment in code), image, lines)
