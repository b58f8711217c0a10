"""The neutral instruction record: all that the timing model needs to know of one Thumb-2 instruction.

The simulator fills it from decoded machine code, the cost model from code that is only planned, so that both
are priced by the same rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

SP, LR, PC = 13, 14, 15
FLAGS = 16
"""Pseudo register: the condition flags, written by flag-setting instructions and read by conditional ones."""

REGISTER_COUNT = 17


class Kind(Enum):
    """What an instruction does to the pipeline; the decoder knows the kind of each mnemonic."""

    __hash__ = object.__hash__  # members are singletons; Enum's own hash is slow and this sits in inner loops

    ALU = "alu"
    """Moves, adds, logic, compares, plain shifts, MOVW and MOVT."""
    BITS = "bits"
    """Bit fields, byte and bit reversal, sign extension, leading zeros: UBFX, BFI, REV, RBIT, SXTB, CLZ."""
    SHIFTED = "shifted"
    """An ALU operation whose second operand is a shifted register."""
    ROTATED = "rotated"
    """An ALU operation whose immediate is a rotated byte (0x1fc0), not a plain or repeated one."""
    ROTATED_MOVE = "rotated_move"
    """MOV or MVN of such an immediate."""
    DSP = "dsp"
    """SXTB16, PKHBT, SSAT, QADD, UADD8 and the like: one result, no accumulator."""
    EXTEND_ADD = "extend_add"
    """SXTAB, UXTAH, SXTAB16 ...: extends one operand and adds the other (`accumulators`)."""
    MUL = "mul"
    """Products with a 32-bit result and no accumulator: MUL, SMULBB, SMUAD, SMMUL."""
    MAC = "mac"
    """Products with a 32-bit accumulator: MLA, MLS, SMLAD, SMLABB, SMMLA."""
    LONG_MUL = "long_mul"
    """Products with a 64-bit result: SMULL, UMULL."""
    LONG_MAC = "long_mac"
    """Products with a 64-bit accumulator: SMLAL, UMLAL, UMAAL, SMLALD."""
    DIV = "div"
    LOAD = "load"
    """LDR: a whole word."""
    LOAD_PART = "load_part"
    """LDRB, LDRSH and the like: a byte or a halfword, extended."""
    STORE = "store"
    LOAD_MULTIPLE = "load_multiple"
    """LDM, POP, LDRD."""
    STORE_MULTIPLE = "store_multiple"
    """STM, PUSH, STRD."""
    BRANCH = "branch"
    """B, BX, CBZ: anything that may leave the straight line and touches no memory."""
    CALL = "call"
    """BL and BLX: a branch that also writes LR."""
    TABLE_BRANCH = "table_branch"
    IT = "it"
    NOP = "nop"
    SYSTEM = "system"
    """MRS, MSR, CPS, barriers, hints, breakpoints."""


class Memory(Enum):
    """What a load or store reaches; on M3 and M4 only accesses to the same memory pipeline."""

    __hash__ = object.__hash__

    FLASH = "flash"
    SRAM = "sram"
    STACK = "stack"
    """SRAM through the stack pointer; other than SRAM where the stack lies in another bank."""


@dataclass(frozen=True)
class Instruction:
    """One instruction as the pipeline sees it.

    Attributes:
        kind: Its group.
        writes: Registers it writes, 0-15 and FLAGS; for loads of several words the loaded registers come
            first, in ascending memory order; an updated base register comes last.
        reads: Operand registers other than those below. For stores: the data.
        accumulators: Registers added to late: the addend of MLA, SMLAD, SXTAB16.
        address: Base register, then index register, of a load or store. The literal pool has base PC.
        width: Encoding size in bits, 16 or 32.
        words: Registers moved by a multiple load or store; 1 otherwise.
        memory: What a load or store reaches. Literals are in flash; through the stack pointer the stack is
            reached; through another register, SRAM is assumed unless known.
        writeback: Whether a load or store updates its base register (pre- or post-indexed, LDM with !, PUSH,
            POP).
    """

    kind: Kind
    writes: tuple[int, ...] = ()
    reads: tuple[int, ...] = ()
    accumulators: tuple[int, ...] = ()
    address: tuple[int, ...] = ()
    width: int = 32
    words: int = 1
    memory: Memory = Memory.SRAM
    writeback: bool = False

    @property
    def sets_flags(self) -> bool:
        return FLAGS in self.writes

    @property
    def is_branch(self) -> bool:
        """Whether execution may continue elsewhere than at the next instruction."""
        return self.kind in _BRANCHES or PC in self.writes


_BRANCHES = frozenset({Kind.BRANCH, Kind.CALL, Kind.TABLE_BRANCH})
SINGLE_LOADS = frozenset({Kind.LOAD, Kind.LOAD_PART})
LOADS = frozenset({*SINGLE_LOADS, Kind.LOAD_MULTIPLE})
STORES = frozenset({Kind.STORE, Kind.STORE_MULTIPLE})
