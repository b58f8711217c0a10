"""Thumb-2 assembly text, with the DSP extension, as the timing model's neutral records.

Works on the text of the unified assembler language. A mnemonic that is not in the tables is an error: an
instruction of unknown cycles must not be priced by a guess.
"""

from __future__ import annotations

import re
from functools import lru_cache

from export.errors import SimulationError
from export.targets.instruction import FLAGS, LR, PC, SINGLE_LOADS, SP, Instruction, Kind, Memory

_CONDITIONS = ("eq", "ne", "cs", "hs", "cc", "lo", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le")
_HALVES = ("bb", "bt", "tb", "tt")
_PARALLEL = tuple(
    prefix + operation
    for prefix in ("s", "q", "sh", "u", "uq", "uh")
    for operation in ("add8", "add16", "sub8", "sub16", "asx", "sax")
)

# What the first operand is: a destination that is also an operand when there are only two, or a destination
# alone.
_ACCUMULATE_IN_PLACE = ("add", "addw", "adc", "sub", "subw", "sbc", "rsb", "and", "orr", "orn", "eor", "bic")
_PLAIN_SHIFTS = ("lsl", "lsr", "asr", "ror")
_MOVES = ("mov", "mvn")
_ONE_OPERAND = (
    *("movw", "adr", "sxtb", "sxth", "uxtb", "uxth", "clz", "rbit", "rev", "rev16", "revsh", "rrx"),
    *("ubfx", "sbfx"),
)
_INSERTS = ("movt", "bfi", "bfc")
_COMPARES = ("cmp", "cmn", "tst", "teq")
_CARRY_READERS = frozenset({"adc", "sbc", "rrx", "sel"})

_KINDS: dict[str, Kind] = {
    **dict.fromkeys((*_ACCUMULATE_IN_PLACE, *_PLAIN_SHIFTS, *_MOVES, *_ONE_OPERAND, *_INSERTS), Kind.ALU),
    **dict.fromkeys(_COMPARES, Kind.ALU),
    **dict.fromkeys(("sxtb", "sxth", "uxtb", "uxth", "clz", "rbit", "rev", "rev16", "revsh"), Kind.BITS),
    **dict.fromkeys(("ubfx", "sbfx", "bfi", "bfc"), Kind.BITS),
    **dict.fromkeys(
        (*("sxtb16", "uxtb16", "pkhbt", "pkhtb", "ssat", "usat", "ssat16", "usat16", "sel", "usad8"),),
        Kind.DSP,
    ),
    **dict.fromkeys(("qadd", "qsub", "qdadd", "qdsub", *_PARALLEL), Kind.DSP),
    **dict.fromkeys(("sxtab", "sxtah", "sxtab16", "uxtab", "uxtah", "uxtab16"), Kind.EXTEND_ADD),
    **dict.fromkeys(
        ("mul", "smuad", "smuadx", "smusd", "smusdx", "smmul", "smmulr", "smulwb", "smulwt"), Kind.MUL
    ),
    **dict.fromkeys(("smul" + halves for halves in _HALVES), Kind.MUL),
    **dict.fromkeys(("mla", "mls", "smlad", "smladx", "smlsd", "smlsdx", "smmla", "smmlar"), Kind.MAC),
    **dict.fromkeys(("smmls", "smmlsr", "smlawb", "smlawt", "usada8"), Kind.MAC),
    **dict.fromkeys(("smla" + halves for halves in _HALVES), Kind.MAC),
    **dict.fromkeys(("smull", "umull"), Kind.LONG_MUL),
    **dict.fromkeys(("smlal", "umlal", "umaal", "smlald", "smlaldx", "smlsld", "smlsldx"), Kind.LONG_MAC),
    **dict.fromkeys(("smlal" + halves for halves in _HALVES), Kind.LONG_MAC),
    **dict.fromkeys(("sdiv", "udiv"), Kind.DIV),
    "ldr": Kind.LOAD,
    **dict.fromkeys(("ldrb", "ldrh", "ldrsb", "ldrsh"), Kind.LOAD_PART),
    **dict.fromkeys(("str", "strb", "strh"), Kind.STORE),
    **dict.fromkeys(("ldm", "ldmdb", "pop", "ldrd"), Kind.LOAD_MULTIPLE),
    **dict.fromkeys(("stm", "stmdb", "push", "strd"), Kind.STORE_MULTIPLE),
    **dict.fromkeys(("b", "bx", "cbz", "cbnz"), Kind.BRANCH),
    **dict.fromkeys(("bl", "blx"), Kind.CALL),
    **dict.fromkeys(("tbb", "tbh"), Kind.TABLE_BRANCH),
    "nop": Kind.NOP,
    **dict.fromkeys(
        ("mrs", "msr", "cpsid", "cpsie", "dsb", "dmb", "isb", "bkpt", "wfi", "wfe", "sev"), Kind.SYSTEM
    ),
}
_MAY_SET_FLAGS = frozenset({*_ACCUMULATE_IN_PLACE, *_PLAIN_SHIFTS, *_MOVES, "mul", "rrx"} - {"addw", "subw"})


def _spellings() -> dict[str, tuple[str, bool, bool]]:
    """Every spelling of a mnemonic -> (base, sets flags, conditional)."""
    spellings = {}
    for base in _KINDS:
        for flags in (False, True) if base in _MAY_SET_FLAGS else (False,):
            stem = base + "s" * flags
            spellings[stem] = (base, flags, False)
            for condition in _CONDITIONS:
                spellings.setdefault(stem + condition, (base, flags, True))
    return spellings


_SPELLINGS = _spellings()

# What assemblers call what disassemblers call otherwise.
_SYNONYMS = {"ldmia": "ldm", "stmia": "stm"}

_REGISTERS = {f"r{number}": number for number in range(16)}
_REGISTERS.update({"sb": 9, "sl": 10, "fp": 11, "ip": 12, "sp": SP, "lr": LR, "pc": PC})
_MEMORIES = {PC: Memory.FLASH, SP: Memory.STACK}  # by base register
_NAME = re.compile(r"[a-z]+[0-9]*")
_IMMEDIATE = re.compile(r"#(-?(?:0x[0-9a-f]+|[0-9]+))")
_SHIFT = re.compile(r", *(?:lsl|lsr|asr|ror|rrx)\b")
_IT = re.compile(r"it[te]{0,3}")


def _registers(text: str) -> tuple[int, ...]:
    return tuple(_REGISTERS[name] for name in _NAME.findall(text) if name in _REGISTERS)


@lru_cache(maxsize=1 << 16)
def decode(mnemonic: str, operands: str, width: int) -> Instruction:
    """Returns the neutral record of one instruction.

    Args:
        mnemonic: With condition and width suffix, as disassembled: "addseq", "ldr.w".
        operands: As disassembled: "r0, [r1], #4".
        width: Encoding size in bits, 16 or 32.

    Raises:
        SimulationError: The tables do not hold the mnemonic.
    """
    mnemonic = mnemonic.removesuffix(".w").removesuffix(".n")
    mnemonic = _SYNONYMS.get(mnemonic, mnemonic)
    if _IT.fullmatch(mnemonic):
        return Instruction(Kind.IT, width=width)
    try:
        base, flags, conditional = _SPELLINGS[mnemonic]
    except KeyError:
        raise SimulationError(
            f"no timing for the instruction {mnemonic + ' ' + operands!r}: expected integer Thumb-2 with the "
            "DSP extension; add the mnemonic to export/targets/assembly.py with its group"
        ) from None
    kind = _KINDS[base]
    late = (FLAGS,) if conditional or base in _CARRY_READERS else ()
    if kind in SINGLE_LOADS or kind is Kind.STORE:
        return _single_transfer(kind, operands, width, late)
    if kind in (Kind.LOAD_MULTIPLE, Kind.STORE_MULTIPLE):
        return _multiple_transfer(kind, base, operands, width, late)
    if kind is Kind.TABLE_BRANCH:
        return Instruction(kind, reads=late, address=_registers(operands), width=width)
    if kind in (Kind.BRANCH, Kind.NOP, Kind.SYSTEM):
        writes = _registers(operands) if base == "mrs" else ()
        reads = () if writes else _registers(operands)
        return Instruction(kind, writes, reads + late, width=width)
    if kind is Kind.CALL:
        return Instruction(kind, (LR,), _registers(operands) + late, width=width)
    return _data_processing(kind, base, operands, width, late, flags=flags)


def _single_transfer(kind: Kind, operands: str, width: int, late: tuple[int, ...]) -> Instruction:
    data, _, place = operands.partition("[")
    inside, _, after = place.partition("]")
    address = _registers(inside)
    writeback = bool(after)
    moved = _registers(data)
    base = (address[0],) if writeback else ()
    memory = _MEMORIES.get(address[0], Memory.SRAM)
    writes, reads = ((*moved, *base), late) if kind in SINGLE_LOADS else (base, moved + late)
    return Instruction(kind, writes, reads, address=address, width=width, memory=memory, writeback=writeback)


def _multiple_transfer(
    kind: Kind, base: str, operands: str, width: int, late: tuple[int, ...]
) -> Instruction:
    if base in ("push", "pop"):
        moved, pointer, writeback = _registers(operands), SP, True
    elif base in ("ldrd", "strd"):
        data, _, place = operands.partition("[")
        inside, _, after = place.partition("]")
        moved, pointer, writeback = _registers(data), _registers(inside)[0], bool(after)
    else:
        place, _, data = operands.partition("{")
        moved, pointer, writeback = _registers(data), _registers(place)[0], "!" in place
    updated = (pointer,) if writeback else ()
    load = kind is Kind.LOAD_MULTIPLE
    return Instruction(
        kind,
        writes=(*moved, *updated) if load else updated,
        reads=late if load else moved + late,
        address=(pointer,),
        width=width,
        words=len(moved),
        memory=_MEMORIES.get(pointer, Memory.SRAM),
        writeback=writeback,
    )


def _data_processing(
    kind: Kind, base: str, operands: str, width: int, late: tuple[int, ...], *, flags: bool
) -> Instruction:
    registers = _registers(_SHIFT.split(operands)[0]) if _SHIFT.search(operands) else _registers(operands)
    shift_registers = _registers(operands)[len(registers) :]
    if kind is Kind.ALU:
        if _SHIFT.search(operands):
            kind = Kind.SHIFTED
        elif (
            width == 32
            and base in (*_ACCUMULATE_IN_PLACE, *_MOVES, *_COMPARES)
            and _is_rotated(base, operands)
        ):
            kind = Kind.ROTATED_MOVE if base in _MOVES else Kind.ROTATED
    if base in _COMPARES:
        return Instruction(kind, (FLAGS,), registers + shift_registers + late, width=width)
    results = 2 if kind in (Kind.LONG_MUL, Kind.LONG_MAC) else 1
    writes, reads = registers[:results], registers[results:]
    accumulators: tuple[int, ...] = ()
    if kind is Kind.LONG_MAC:
        accumulators = writes
    elif kind is Kind.MAC:
        reads, accumulators = reads[:2], reads[2:]
    elif kind is Kind.EXTEND_ADD:
        reads, accumulators = reads[1:], reads[:1]
    elif base in _INSERTS or (base in (*_ACCUMULATE_IN_PLACE, *_PLAIN_SHIFTS) and operands.count(",") == 1):
        reads = writes + reads
    return Instruction(
        kind, (*writes, FLAGS) if flags else writes, reads + shift_registers + late, accumulators, width=width
    )


def _is_rotated(base: str, operands: str) -> bool:
    """Whether the immediate of a 32-bit encoding is a rotated byte, which takes the shifter."""
    match = _IMMEDIATE.search(operands)
    if match is None or base in ("addw", "subw"):
        return False
    value = int(match.group(1), 0)
    if value < 0:  # the assembler takes MVN or CMN of what is left
        value = ~value if base in _MOVES else -value
    value &= 0xFFFFFFFF
    low, high = value & 0xFF, (value >> 8) & 0xFF
    return value not in (low, low * 0x00010001, high * 0x01000100, low * 0x01010101)


_LOW = 8  # registers below fit most 16-bit encodings
_ADDRESS = re.compile(r"\[(\w+)(?:, *#(\d+)(?:\*(\d+))?)?\]")
_REACH = {"ldr": 124, "str": 124, "ldrh": 62, "strh": 62, "ldrb": 31, "strb": 31}
_SCALE = {"ldr": 4, "str": 4, "ldrh": 2, "strh": 2, "ldrb": 1, "strb": 1}
_STACK_REACH = 1020


def assemble(line: str) -> Instruction:
    """Returns the record of one instruction as a person writes it, in the encoding that GNU as gives it.

    Branches must say how wide they are; only forms that the kernel language uses have 16-bit encodings here.

    Args:
        line: Such as "ldmia r1!, {r2, r3}" or "bne.w 2b".

    Raises:
        SimulationError: The tables do not hold the mnemonic.
    """
    mnemonic, _, operands = line.strip().partition(" ")
    return decode(mnemonic, operands, encoded_width(mnemonic, operands))


def encoded_width(mnemonic: str, operands: str) -> int:
    """Returns the bits, 16 or 32, of the encoding GNU as chooses outside of what `assemble` excludes."""
    if mnemonic.endswith((".w", ".n")):
        return 32 if mnemonic.endswith(".w") else 16
    if _IT.fullmatch(mnemonic):
        return 16
    base, flags, conditional = _SPELLINGS[_SYNONYMS.get(mnemonic, mnemonic)]
    registers = _registers(operands)
    low = all(register < _LOW for register in registers)
    match = _IMMEDIATE.search(operands)
    value = int(match.group(1), 0) if match else None
    if base in _REACH:
        return 16 if _narrow_transfer(base, operands, registers) else 32
    if base in ("ldm", "stm"):
        return 16 if low and "!" in operands and registers[0] not in registers[1:] else 32
    if base == "mov":
        if value is None:
            return 32 if _SHIFT.search(operands) else 16
        return 16 if low and (flags or conditional) and 0 <= value <= 255 else 32
    if base == "cmp":
        return 16 if value is None or (low and 0 <= value <= 255) else 32
    if base in ("add", "sub"):
        return 16 if _narrow_sum(base, operands, registers, value, flags=flags) else 32
    if base in ("ldrsb", "ldrsh"):
        return 16 if low and match is None and len(registers) == 3 else 32
    return 16 if base == "nop" else 32


def _narrow_transfer(base: str, operands: str, registers: tuple[int, ...]) -> bool:
    match = _ADDRESS.search(operands)
    if match is None or operands[match.end() :].strip() or registers[0] >= _LOW:
        return False  # an index, a shift, or a base that moves
    offset = int(match[2] or 0) * int(match[3] or 1)
    if registers[1] == SP:
        return base in ("ldr", "str") and offset <= _STACK_REACH
    return registers[1] < _LOW and offset <= _REACH[base] and offset % _SCALE[base] == 0


def _narrow_sum(
    base: str, operands: str, registers: tuple[int, ...], value: int | None, *, flags: bool
) -> bool:
    """Whether ADD or SUB has a 16-bit encoding; without flags, only the stack pointer's and that of two registers."""
    if _SHIFT.search(operands):
        return False
    if value is not None:
        if SP in registers:
            return (
                value % 4 == 0
                and value <= (508 if registers[0] == SP else _STACK_REACH)
                and (registers[0] == SP or (base == "add" and registers[0] < _LOW))
            )
        in_place = len(set(registers)) == 1
        return flags and registers[0] < _LOW and value <= (255 if in_place else 7)
    if flags:
        return all(register < _LOW for register in registers)
    return base == "add" and (len(registers) == 2 or registers[0] in registers[1:])
