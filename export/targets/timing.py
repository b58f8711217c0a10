"""What distinguishes one core's pipeline from another's, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property

from export.targets.instruction import Kind


class Pairing(Enum):
    """Which neighbors may issue in the same cycle."""

    NONE = "none"
    NARROW = "narrow"
    """Cortex-M33: a 16-bit branch, IT or NOP beside a preceding 16-bit instruction; never two ALU or load
    ones.
    """
    WIDE = "wide"
    """Cortex-M7: any two independent instructions, within the limits of its execution units."""


@dataclass(frozen=True, eq=False)  # tables are compared by identity, so that prices can be kept by timing
class Timing:
    """Cycles of a core with memories that never wait.

    A latency counts from the cycle an instruction issues to the first cycle in which a dependent one may
    issue; 0 where both may issue together.

    Attributes:
        source: Documents the figures come from.
        caveats: What the figures leave out.
        issue: Cycles that the instructions of a group hold the pipeline, where not 1. Loads and stores of
            several words: the cycles beside those of the words.
        latency: Cycles to an ordinary operand by the group that computes it, where not 1.
        operand_latency: By the group of the instruction that reads, the latencies that differ for its operands;
            those of a store are its data.
        accumulate_latency: Cycles to the accumulator of a MAC, where different from `latency`.
        address_latency: Cycles to an address, where different from `latency`.
        refill: Cycles a taken branch adds to its own where its target is known early: an immediate.
        late_refill: Cycles a taken branch to a register's value adds.
        pc_load_refill: Cycles a load into PC adds to its own.
        unaligned_target: Cycles a taken branch adds where it leads to a 32-bit instruction off a word boundary.
        unaligned_runs: Whether three or more 32-bit instructions in a row that lie off a word boundary cost a cycle;
            of nothing but stores, four.
        cycles_per_two_words: Cycles for every two words of a multiple load or store: 2, or 1 with a 64-bit
            port.
        flag_setting_issue: Cycles of groups that take longer when they set flags.
        register_offset_store: Cycles of a store with a register offset.
        pipelined_loads: Whether adjacent loads of the same memory overlap by a cycle (M3, M4).
        pipelined_writeback: Whether a load or store that updates its base register overlaps a load before it (M4).
        stack_apart: Whether the stack lies in another memory than activations, so that their accesses do not overlap:
            a matter of the board.
        load_after_store: Cycles a load adds right behind a store.
        pairing: Which instructions issue together.
    """

    source: str
    caveats: str
    issue: Mapping[Kind, int] = field(default_factory=dict)
    latency: Mapping[Kind, int] = field(default_factory=dict)
    operand_latency: Mapping[Kind, Mapping[Kind, int]] = field(default_factory=dict)
    accumulate_latency: Mapping[Kind, int] = field(default_factory=dict)
    address_latency: Mapping[Kind, int] = field(default_factory=dict)
    refill: int = 1
    late_refill: int = 1
    pc_load_refill: int = 1
    unaligned_target: int = 0
    unaligned_runs: bool = False
    cycles_per_two_words: int = 2
    flag_setting_issue: Mapping[Kind, int] = field(default_factory=dict)
    register_offset_store: int = 1
    pipelined_loads: bool = False
    pipelined_writeback: bool = True
    stack_apart: bool = False
    load_after_store: int = 0
    pairing: Pairing = Pairing.NONE

    @cached_property
    def longest_latency(self) -> int:
        """Cycles after which any result is ready for any use."""
        tables = (
            self.latency,
            self.accumulate_latency,
            self.address_latency,
            *self.operand_latency.values(),
        )
        return max((1, *(cycles for table in tables for cycles in table.values())))

    @property
    def aligns(self) -> bool:
        """Whether it matters where instructions lie."""
        return self.unaligned_runs or self.unaligned_target > 0


_PRODUCTS = (Kind.MUL, Kind.MAC, Kind.LONG_MUL, Kind.LONG_MAC)
_LOADED = (Kind.LOAD, Kind.LOAD_PART, Kind.LOAD_MULTIPLE)
_COMPUTED = (
    *(Kind.ALU, Kind.BITS, Kind.SHIFTED, Kind.ROTATED, Kind.ROTATED_MOVE, Kind.DSP, Kind.EXTEND_ADD),
    *(*_PRODUCTS, Kind.DIV, Kind.SYSTEM),
)


def _store_data(latency: Mapping[Kind, int]) -> dict[Kind, Mapping[Kind, int]]:
    """Latencies to the data of stores."""
    return {Kind.STORE: latency, Kind.STORE_MULTIPLE: latency}


# What a Cortex-M33 hands over in the next cycle to accumulators and to stores.
_NEXT_CYCLE = dict.fromkeys(
    (Kind.SHIFTED, Kind.ROTATED, Kind.ROTATED_MOVE, Kind.EXTEND_ADD, *_PRODUCTS, *_LOADED), 1
)

# No public table exists for the Cortex-M33; the rules were measured with the cycle counter of an RP2350.
CORTEX_M33 = Timing(
    source="jnk0le, pipeline cycle test, cortex_m33.md (DWT measurements on an RP2350, Cortex-M33 r1p0)",
    caveats="Measured on revision r1p0; the STM32U5 has r0p1, of which no measurements are public. Table"
    " branches, loads into PC and division are not in the source: one refill more than a branch, and the longest"
    " division. Conditional instructions count as executed.",
    issue={Kind.DIV: 11, Kind.TABLE_BRANCH: 2, Kind.LOAD_MULTIPLE: 0, Kind.STORE_MULTIPLE: 0},
    latency=dict.fromkeys(
        (
            *(Kind.SHIFTED, Kind.ROTATED, Kind.ROTATED_MOVE, Kind.DSP, Kind.EXTEND_ADD),
            *(*_PRODUCTS, *_LOADED),
        ),
        2,
    ),
    operand_latency=_store_data(_NEXT_CYCLE),
    accumulate_latency=_NEXT_CYCLE,
    refill=1,
    pc_load_refill=2,
    flag_setting_issue={Kind.MUL: 2, Kind.ROTATED: 2},
    pairing=Pairing.NARROW,
)

CORTEX_M4 = Timing(
    source="Arm Cortex-M4 TRM (DDI0439) 3.3; jnk0le, pipeline cycle test, cortex_m3m4.md and its template (DWT "
    "measurements on an STM32F407); i-0.nl, Cortex-M4 compendium, alignment rules (DWT measurements)",
    caveats="Branches to a register's value refill in 2 of the 1 to 3 cycles the manual gives; division takes the "
    "longest; runs of unaligned 32-bit instructions that mix loads or stores with others, which may cost more than "
    "a cycle, cost one. Conditional instructions count as executed.",
    issue={
        Kind.LOAD: 2,
        Kind.LOAD_PART: 2,
        Kind.LOAD_MULTIPLE: 1,
        Kind.STORE_MULTIPLE: 1,
        Kind.DIV: 12,
        Kind.TABLE_BRANCH: 2,
    },
    address_latency=dict.fromkeys(_COMPUTED, 2),
    refill=1,
    late_refill=2,
    pc_load_refill=2,
    unaligned_target=1,
    unaligned_runs=True,
    register_offset_store=2,
    pipelined_loads=True,
    load_after_store=1,
)

CORTEX_M3 = replace(
    CORTEX_M4,
    source="Arm Cortex-M3 TRM (DDI0337) 3.3; jnk0le, pipeline cycle test, cortex_m3m4.md (DWT measurements on an "
    "STM32F103); alignment as measured on the Cortex-M4, whose fetch unit Arm documents as the same",
    caveats="As the Cortex-M4; long products, 3 to 7 cycles by their operands, take the longest.",
    issue={**CORTEX_M4.issue, Kind.MAC: 2, Kind.LONG_MUL: 5, Kind.LONG_MAC: 7},
    pipelined_writeback=False,
)

CORTEX_M0PLUS = Timing(
    source="Arm Cortex-M0+ TRM (DDI0484) 3.3, single-cycle multiplier",
    caveats="Single-cycle I/O port accesses count as memory accesses.",
    issue={
        Kind.LOAD: 2,
        Kind.LOAD_PART: 2,
        Kind.STORE: 2,
        Kind.LOAD_MULTIPLE: 1,
        Kind.STORE_MULTIPLE: 1,
        Kind.CALL: 2,
        Kind.SYSTEM: 3,
    },
    refill=1,
    pc_load_refill=2,
    register_offset_store=2,
)

# What is read in the first of the two stages at which a Cortex-M7 computes: a cycle before ordinary operands.
_EARLY = {Kind.LOAD: 2, Kind.LOAD_PART: 3, Kind.LOAD_MULTIPLE: 2}
_MULTIPLIED = {Kind.LOAD: 2, Kind.LOAD_PART: 2, Kind.LOAD_MULTIPLE: 2}

CORTEX_M7 = Timing(
    source="jnk0le, pipeline cycle test, cortex_m7.md (DWT measurements on an STM32H743)",
    caveats="Leaves out: branch mispredictions (every branch is taken as predicted), bank conflicts of paired"
    " loads, cache misses, which of its two ALUs an instruction takes, and the alignment of 16-bit instructions."
    " Real cycles are higher.",
    issue={Kind.LOAD_MULTIPLE: 0, Kind.STORE_MULTIPLE: 0, Kind.DIV: 12, Kind.TABLE_BRANCH: 2},
    latency={**dict.fromkeys(_PRODUCTS, 2), Kind.LOAD_PART: 2},
    operand_latency={
        **dict.fromkeys((Kind.SHIFTED, Kind.EXTEND_ADD, Kind.BITS), _EARLY),
        **dict.fromkeys(_PRODUCTS, _MULTIPLIED),
        **_store_data(dict.fromkeys((*_COMPUTED, *_LOADED), 0)),
    },
    accumulate_latency=dict.fromkeys((*_PRODUCTS, *_LOADED), 1),
    address_latency={**dict.fromkeys((Kind.BITS, Kind.DSP, Kind.EXTEND_ADD), 2), **_EARLY},
    refill=0,
    late_refill=0,
    pc_load_refill=2,
    cycles_per_two_words=1,
    pairing=Pairing.WIDE,
)
