"""The memory that each load of a block reads from, where the block itself determines it.

The emulator reports blocks, not memory accesses (its memory hooks cannot be trusted). But most addresses follow from
the registers a block is entered with: base registers that only step by constants. Those are found here once a block;
the tracer then adds the registers' values each time the block runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from export.targets.assembly import decode
from export.targets.instruction import FLAGS, LOADS, PC, SINGLE_LOADS, SP, STORES, Instruction, Kind

_NUMBER = re.compile(r"#(-?(?:0x[0-9a-f]+|[0-9]+))")
_SIZES = {"ldrb": 1, "ldrsb": 1, "ldrh": 2, "ldrsh": 2, "ldr": 4}
_CONSTANT = -1


@dataclass(frozen=True)
class Line:
    """One disassembled instruction."""

    address: int
    length: int
    mnemonic: str
    operands: str


@dataclass(frozen=True)
class Access:
    """What one load reads.

    Attributes:
        instruction: Address of the load.
        register: The one whose value at the entry of the block is added to `offset`, or None for none.
        offset: Of the first byte; of the base where an index in a register is added to it.
        size: Bytes; 0 where an index in a register leaves only the memory known, by the base, not the address.
    """

    instruction: int
    register: int | None
    offset: int
    size: int


def block_accesses(lines: Iterable[Line], word_at: Callable[[int], int | None]) -> list[Access]:
    """Returns the loads of a block whose addresses are the value of a register at its entry plus a constant.

    Left out: loads from the stack, and from what the block itself computed or loaded (other than constants).
    A load at an index in a register is taken to read the memory its base points into.

    Args:
        lines: The block, in order.
        word_at: Returns the constant word at an address, None where there is none.
    """
    # Register -> (register at entry or _CONSTANT, what was added); absent: not known.
    known = {number: (number, 0) for number in range(16)}
    accesses = []
    for line in lines:
        instruction = decode(line.mnemonic, line.operands, 8 * line.length)
        numbers = [int(text, 0) for text in _NUMBER.findall(line.operands)]
        known[PC] = (_CONSTANT, line.address + 4 & ~3)
        result = None
        if instruction.kind in LOADS:
            access, step = _load(line, instruction, numbers, known)
            if access is not None:
                accesses.append(access)
                if access.register is None and instruction.kind is Kind.LOAD and access.size == 4:
                    word = word_at(access.offset)
                    result = None if word is None else (_CONSTANT, word)
        elif instruction.kind in STORES:
            step = _step(line, instruction, numbers)
        else:
            step = 0
            result = _arithmetic(line.mnemonic, instruction, numbers, known)
        _update(known, instruction, result, step)
    return accesses


_Value = tuple[int, int]


def _load(
    line: Line, instruction: Instruction, numbers: list[int], known: dict[int, _Value]
) -> tuple[Access | None, int]:
    """The access of a load, and what it adds to its base register."""
    step = _step(line, instruction, numbers)
    base = instruction.address[0]
    if base not in known or known[base][0] == SP:
        return None, step
    origin, offset = known[base]
    register = None if origin == _CONSTANT else origin
    if len(instruction.address) > 1:
        return Access(line.address, register, offset & 0xFFFFFFFF, 0), step
    size = 4 * instruction.words
    if instruction.kind in SINGLE_LOADS:
        size = next(size for name, size in _SIZES.items() if line.mnemonic.startswith(name))
    if line.mnemonic.startswith("ldmdb"):
        offset -= size
    inside, bracket, _ = line.operands.partition("]")
    if bracket:
        offset += sum(int(text, 0) for text in _NUMBER.findall(inside))
    return Access(line.address, register, offset & 0xFFFFFFFF, size), step


def _step(line: Line, instruction: Instruction, numbers: list[int]) -> int:
    """What a load or store adds to its base register."""
    if not instruction.writeback:
        return 0
    if "[" in line.operands:
        return numbers[-1]
    words = 4 * instruction.words
    return -words if line.mnemonic.startswith(("stmdb", "ldmdb", "push")) else words


def _arithmetic(
    mnemonic: str, instruction: Instruction, numbers: list[int], known: dict[int, _Value]
) -> _Value | None:
    """The known result of a move or an addition of a constant."""
    stem = mnemonic.removesuffix(".w")
    if FLAGS in instruction.reads or instruction.kind is Kind.SHIFTED:
        return None
    reads = [register for register in instruction.reads if register != FLAGS]
    if stem in ("mov", "movs", "movw") and not reads:
        return _CONSTANT, numbers[0]
    if stem == "adr":
        return _CONSTANT, known[PC][1] + numbers[0]
    if stem == "mov" and len(reads) == 1 and not numbers:
        return known.get(reads[0])
    if stem == "movt" and known.get(reads[0], (0, 0))[0] == _CONSTANT:
        return _CONSTANT, (known[reads[0]][1] & 0xFFFF) | numbers[0] << 16
    if (
        stem in ("add", "adds", "addw", "sub", "subs", "subw")
        and len(reads) == 1
        and numbers
        and reads[0] in known
    ):
        origin, offset = known[reads[0]]
        return origin, offset + (numbers[0] if stem.startswith("add") else -numbers[0])
    return None


def _update(known: dict[int, _Value], instruction: Instruction, result: _Value | None, step: int) -> None:
    """Forgets what an instruction overwrites, and remembers what is known of its results."""
    base = known.get(instruction.address[0]) if instruction.writeback else None
    for register in instruction.writes:
        known.pop(register, None)
    conditional = FLAGS in instruction.reads
    if conditional:
        return
    if result is not None:
        known[instruction.writes[0]] = result
    if instruction.writeback and base is not None:
        known[instruction.address[0]] = (base[0], base[1] + step)
