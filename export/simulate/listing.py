"""The instructions of a linked image by address."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from export.errors import SimulationError, ToolError
from export.image import ArmImage
from export.simulate.decode import decode
from export.targets.instruction import Instruction

_LITERAL = re.compile(r"\[pc(?:, #(-?(?:0x)?[0-9a-f]+))?\]")


@dataclass(frozen=True)
class Listing:
    """Disassembled code.

    Attributes:
        base: Lowest code address.
        literals: uint32 [code bytes / 2]: for each halfword the address of the literal it loads, or 0.
    """

    base: int
    literals: np.ndarray
    _lines: dict[int, tuple[int, str, str]] = field(repr=False)  # address -> bytes, mnemonic, operands

    def block(self, address: int, size: int) -> tuple[Instruction, ...]:
        """Returns the instructions of a block.

        Args:
            address: Of its first instruction.
            size: Its bytes.

        Raises:
            SimulationError: Something there is no code, or has no known timing.
        """
        instructions = []
        end = address + size
        while address < end:
            if address not in self._lines:
                raise SimulationError(
                    f"executed {address:#010x}, which the disassembler takes for no instruction"
                )
            length, mnemonic, operands = self._lines[address]
            instructions.append(decode(mnemonic, operands, 8 * length))
            address += length
        return tuple(instructions)


def disassemble(image: ArmImage) -> Listing:
    """Disassembles all code of an image.

    Raises:
        ToolError: The disassembler is not installed.
    """
    try:
        import capstone  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ToolError("simulating needs capstone; pip install 'keras_approx[simulate]'") from error
    engine = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    code = [segment for segment in image.segments if segment.executable]
    base = min(segment.address for segment in code)
    size = max(segment.address + len(segment.data) for segment in code) - base
    literals = np.zeros((size + 1) // 2, np.uint32)
    lines = {}
    for start, stop in image.code_ranges:
        segment = next(s for s in code if s.address <= start < s.address + len(s.data))
        content = segment.data[start - segment.address : stop - segment.address]
        for address, length, mnemonic, operands in engine.disasm_lite(content, start):
            lines[address] = (length, mnemonic, operands)
            match = _LITERAL.search(operands)
            if match and mnemonic.startswith("ld"):
                offset = int(match.group(1) or "0", 0)
                literals[(address - base) // 2] = (address + 4 & ~3) + offset
    return Listing(base, literals, lines)
