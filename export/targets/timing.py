"""What distinguishes one core's pipeline from another's, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property

from export.targets.instruction import Kind


class Pairing(Enum):
    """Which neighbours may issue in the same cycle."""

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
    issue.

    Attributes:
        source: Documents the figures come from.
        caveats: What the figures leave out.
        issue: Cycles that the instructions of a group hold the pipeline, where not 1. Loads and stores of
            several words: the cycles beside those of the words.
        latency: Cycles to an ordinary operand, where not 1.
        accumulate_latency: Cycles to the accumulator of a MAC, where different from `latency`.
        store_latency: Cycles to the data operand of a store, where different from `latency`.
        address_latency: Cycles from a data-processing result to an address.
        refill: Cycles a taken branch adds to its own.
        pc_load_refill: Cycles a load into PC adds to its own.
        cycles_per_two_words: Cycles for every two words of a multiple load or store: 2, or 1 with a 64-bit
            port.
        flag_setting_issue: Cycles of groups that take longer when they set flags.
        register_offset_store: Cycles of a store with a register offset.
        pipelined_loads: Whether adjacent loads of the same memory overlap by a cycle (M3, M4).
        load_after_store: Cycles a load adds right behind a store.
        pairing: Which instructions issue together.
    """

    source: str
    caveats: str
    issue: Mapping[Kind, int] = field(default_factory=dict)
    latency: Mapping[Kind, int] = field(default_factory=dict)
    accumulate_latency: Mapping[Kind, int] = field(default_factory=dict)
    store_latency: Mapping[Kind, int] = field(default_factory=dict)
    address_latency: int = 1
    refill: int = 1
    pc_load_refill: int = 1
    cycles_per_two_words: int = 2
    flag_setting_issue: Mapping[Kind, int] = field(default_factory=dict)
    register_offset_store: int = 1
    pipelined_loads: bool = False
    load_after_store: int = 0
    pairing: Pairing = Pairing.NONE

    @cached_property
    def longest_latency(self) -> int:
        """Cycles after which any result is ready for any use."""
        tables = (self.latency, self.accumulate_latency, self.store_latency)
        return max(1, self.address_latency, *(cycles for table in tables for cycles in table.values()))


# What a Cortex-M33 hands over in the next cycle to accumulators and to stores.
_NEXT_CYCLE = dict.fromkeys(
    (
        *(Kind.SHIFTED, Kind.ROTATED, Kind.EXTEND_ADD, Kind.MUL, Kind.MAC, Kind.LONG_MUL, Kind.LONG_MAC),
        *(Kind.LOAD, Kind.LOAD_MULTIPLE),
    ),
    1,
)

# No public table exists for the Cortex-M33; the rules were measured with the cycle counter of an RP2350.
CORTEX_M33 = Timing(
    source="jnk0le, pipeline cycle test, cortex_m33.md (DWT measurements on an RP2350, Cortex-M33 r1p0)",
    caveats="Table branches, loads into PC and division are not in the source: one refill more than a branch,"
    " and the longest division. Conditional instructions count as executed.",
    issue={Kind.DIV: 11, Kind.TABLE_BRANCH: 2, Kind.LOAD_MULTIPLE: 0, Kind.STORE_MULTIPLE: 0},
    latency={
        Kind.SHIFTED: 2,
        Kind.ROTATED: 2,
        Kind.DSP: 2,
        Kind.EXTEND_ADD: 2,
        Kind.MUL: 2,
        Kind.MAC: 2,
        Kind.LONG_MUL: 2,
        Kind.LONG_MAC: 2,
        Kind.LOAD: 2,
        Kind.LOAD_MULTIPLE: 2,
    },
    accumulate_latency=_NEXT_CYCLE,
    store_latency=_NEXT_CYCLE,
    refill=1,
    pc_load_refill=2,
    flag_setting_issue={Kind.MUL: 2, Kind.ROTATED: 2},
    pairing=Pairing.NARROW,
)

CORTEX_M4 = Timing(
    source="Arm Cortex-M4 TRM (DDI0439) 3.3; jnk0le, pipeline cycle test, cortex_m3m4.md (DWT measurements "
    "on an STM32F407)",
    caveats="A taken branch refills in 2 of the 1 to 3 cycles the manual gives; division takes the longest; "
    "32-bit loads off a word boundary, which may fail to pipeline, count as pipelined. Conditional "
    "instructions count as executed.",
    issue={Kind.LOAD: 2, Kind.LOAD_MULTIPLE: 1, Kind.STORE_MULTIPLE: 1, Kind.DIV: 12, Kind.TABLE_BRANCH: 2},
    address_latency=2,
    refill=2,
    pc_load_refill=2,
    register_offset_store=2,
    pipelined_loads=True,
    load_after_store=1,
)

CORTEX_M3 = replace(
    CORTEX_M4,
    source="Arm Cortex-M3 TRM (DDI0337) 3.3; jnk0le, pipeline cycle test, cortex_m3m4.md",
    caveats="As the Cortex-M4; long products, 3 to 7 cycles by their operands, take the longest.",
    issue={**CORTEX_M4.issue, Kind.MAC: 2, Kind.LONG_MUL: 5, Kind.LONG_MAC: 7},
)

CORTEX_M0PLUS = Timing(
    source="Arm Cortex-M0+ TRM (DDI0484) 3.3, single-cycle multiplier",
    caveats="Single-cycle I/O port accesses count as memory accesses.",
    issue={
        Kind.LOAD: 2,
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

CORTEX_M7 = Timing(
    source="jnk0le, pipeline cycle test, cortex_m7.md (DWT measurements on an STM32H743)",
    caveats="Leaves out: branch mispredictions (every branch is taken as predicted), bank conflicts of paired"
    " loads, cache misses, the early and late ALU, and the alignment of 16-bit instructions. Real "
    "cycles are higher.",
    issue={Kind.LOAD_MULTIPLE: 0, Kind.STORE_MULTIPLE: 0, Kind.DIV: 12, Kind.TABLE_BRANCH: 2},
    latency={
        Kind.MUL: 2,
        Kind.MAC: 2,
        Kind.LONG_MUL: 2,
        Kind.LONG_MAC: 2,
        Kind.LOAD: 2,
        Kind.LOAD_MULTIPLE: 2,
    },
    accumulate_latency={
        Kind.MUL: 1,
        Kind.MAC: 1,
        Kind.LONG_MUL: 1,
        Kind.LONG_MAC: 1,
        Kind.LOAD: 1,
        Kind.LOAD_MULTIPLE: 1,
    },
    store_latency={Kind.LOAD: 1, Kind.LOAD_MULTIPLE: 1, Kind.MUL: 1, Kind.MAC: 1},
    refill=0,
    pc_load_refill=2,
    cycles_per_two_words=1,
    pairing=Pairing.WIDE,
)
