"""The timing model: cycles of straight-line code on a core whose memories never wait.

An in-order pipeline: an instruction issues when the one before it has left the issue stage and its operands
are ready. The rules that differ between cores are the fields of `Timing`. The simulator and the cost model
both price code here, so a predicted cycle differs from a simulated one only where the code does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from export.targets.instruction import FLAGS, PC, REGISTER_COUNT, Instruction, Kind
from export.targets.timing import Pairing, Timing

_ACCUMULATING = frozenset({Kind.MAC, Kind.LONG_MAC})
_LOADS = frozenset({Kind.LOAD, Kind.LOAD_MULTIPLE})
_STORES = frozenset({Kind.STORE, Kind.STORE_MULTIPLE})
_MULTIPLE = frozenset({Kind.LOAD_MULTIPLE, Kind.STORE_MULTIPLE})
_PRODUCTS = frozenset({Kind.MUL, Kind.MAC, Kind.LONG_MUL, Kind.LONG_MAC})
_SHIFTER = frozenset({Kind.DSP, Kind.EXTEND_ADD, Kind.SHIFTED, Kind.ROTATED})
_UNPAIRED = frozenset({*_MULTIPLE, Kind.DIV, Kind.SYSTEM, Kind.TABLE_BRANCH, Kind.IT})

_LONG_AGO = -16  # a cycle before any code; what was issued then is ready


@dataclass(frozen=True)
class State:
    """What a pipeline still remembers of the code before, as far as it can matter to the code after.

    Attributes:
        results: registers whose last result is recent: number, cycles since it was issued, kind of its writer.
        previous: the instruction before, or None.
        paired: whether it was the second of a pair.
    """

    results: tuple[tuple[int, int, Kind], ...] = ()
    previous: Instruction | None = None
    paired: bool = False


READY = State()
"""Every register ready, nothing before."""


def block_cycles(instructions: Sequence[Instruction], timing: Timing, taken: bool = False) -> int:
    """Returns the cycles of a block entered with every register ready.

    Args:
        instructions: Straight-line code; only the last may branch.
        timing: The core's pipeline (`Core.timing`).
        taken: Whether the branch at the end is taken.
    """
    return issue_cycles(instructions, timing, taken)[-1]


def issue_cycles(instructions: Sequence[Instruction], timing: Timing, taken: bool = False) -> list[int]:
    """Returns the cycle in which each instruction issues, and at the end the cycle in which the next block
    may.

    Args:
        instructions: Straight-line code; only the last may branch.
        timing: The core's pipeline (`Core.timing`).
        taken: Whether the branch at the end is taken.

    Returns:
        One entry an instruction plus one; not decreasing. Instructions that issue together share a cycle.
    """
    return _issue(instructions, timing, taken, READY)[0]


def continue_cycles(
    instructions: Sequence[Instruction], timing: Timing, before: State, taken: bool = False
) -> tuple[int, State]:
    """Returns the cycles that code takes behind other code, and what the pipeline then remembers.

    Cycles of consecutive pieces add up to those of the whole block.

    Args:
        instructions: Straight-line code; only the last may branch.
        timing: The core's pipeline (`Core.timing`).
        before: What the code before has left; `READY` at the start of a block.
        taken: Whether the branch at the end is taken.
    """
    issued, after = _issue(instructions, timing, taken, before)
    return issued[-1], after


def _issue(
    instructions: Sequence[Instruction], timing: Timing, taken: bool, before: State
) -> tuple[list[int], State]:
    issued: list[int] = []
    written_at = [_LONG_AGO] * REGISTER_COUNT
    written_by = [Kind.ALU] * REGISTER_COUNT
    for register, age, kind in before.results:
        written_at[register], written_by[register] = -age, kind
    free = 0  # first cycle in which the issue stage is free
    previous, paired = before.previous, before.paired  # `previous` was itself the second of a pair
    last = len(instructions) - 1
    for position, current in enumerate(instructions):
        leaves = taken and position == last
        ready = _operands_ready(current, timing, written_at, written_by)
        paired = (
            previous is not None
            and not paired
            and timing.pairing is not Pairing.NONE
            and ready <= free - 1
            and _may_pair(previous, current, timing, leaves)
        )
        start = free - 1 if paired else max(free, ready)
        if previous is not None and previous.kind in _STORES and current.kind in _LOADS:
            start += timing.load_after_store
        free = max(free, start + _occupied(previous, current, timing, leaves))
        _record_results(current, start, written_at, written_by)
        issued.append(start)
        previous = current
    issued.append(free)
    recent = tuple(
        (register, free - start, written_by[register])
        for register, start in enumerate(written_at)
        if start + timing.longest_latency >= free  # a result that was ready a cycle ago delays nothing
    )
    return issued, State(recent, previous, paired)


def _operands_ready(
    instruction: Instruction, timing: Timing, written_at: list[int], written_by: list[Kind]
) -> int:
    """The first cycle in which all operands are there."""
    latency = timing.latency
    ready = _LONG_AGO
    special = timing.store_latency if instruction.kind in _STORES else latency
    for register in instruction.reads:
        kind = written_by[register]
        cycles = special.get(kind, latency.get(kind, 1))
        if register == FLAGS and instruction.kind is Kind.BRANCH:
            cycles -= 1  # a branch beside the instruction that sets its flags
        ready = max(ready, written_at[register] + cycles)
    for register in instruction.accumulators:
        kind = written_by[register]
        cycles = timing.accumulate_latency.get(kind, latency.get(kind, 1))
        if kind in _LOADS and instruction.kind not in _ACCUMULATING:
            cycles = latency.get(kind, 1)  # only multipliers take a load's result late
        ready = max(ready, written_at[register] + cycles)
    for register in instruction.address:
        kind = written_by[register]
        cycles = latency.get(kind, 1)
        if kind not in _LOADS:
            cycles = max(cycles, timing.address_latency)
        ready = max(ready, written_at[register] + cycles)
    return ready


def _may_pair(first: Instruction, second: Instruction, timing: Timing, leaves: bool) -> bool:
    """Whether `second` issues together with `first`; operands are checked elsewhere."""
    if timing.pairing is Pairing.NARROW:
        if first.width != 16 or second.width != 16:
            return False
        if second.kind is Kind.BRANCH:
            return not (leaves and first.sets_flags)
        return second.kind in (Kind.IT, Kind.NOP)
    if first.kind in _UNPAIRED or second.kind in _UNPAIRED or first.is_branch:
        return False
    if first.kind in _PRODUCTS | _STORES and second.kind in _PRODUCTS | _STORES:
        return False
    if first.kind in _SHIFTER and second.kind in _SHIFTER:
        return False
    return not set(first.writes) & {*second.reads, *second.accumulators, *second.address, *second.writes}


def _occupied(previous: Instruction | None, current: Instruction, timing: Timing, leaves: bool) -> int:
    """Cycles for which `current` holds the issue stage."""
    kind = current.kind
    cycles = timing.issue.get(kind, 1)
    if kind in _MULTIPLE:
        cycles += (current.words * timing.cycles_per_two_words + 1) // 2
    elif kind is Kind.STORE and len(current.address) > 1:
        cycles = timing.register_offset_store
    if current.sets_flags:
        cycles = timing.flag_setting_issue.get(kind, cycles)
    if timing.pipelined_loads and previous is not None:
        if _overlaps(previous, current):
            cycles -= 1
        elif kind is Kind.IT and previous.width == 16:
            cycles = 0  # folded into the preceding 16-bit instruction
    if leaves:
        cycles += timing.pc_load_refill if kind in _LOADS or kind is Kind.TABLE_BRANCH else timing.refill
    return cycles


def _overlaps(previous: Instruction, current: Instruction) -> bool:
    """Whether the address phase of `current` overlaps the data phase of the load before it (M3, M4)."""
    if previous.kind is not Kind.LOAD or current.memory is not previous.memory or PC in previous.writes:
        return False
    if any(register in previous.writes for register in current.address):
        return False
    return current.kind is Kind.LOAD or (current.kind is Kind.STORE and len(current.address) == 1)


def _record_results(
    instruction: Instruction, start: int, written_at: list[int], written_by: list[Kind]
) -> None:
    kind = instruction.kind
    for index, register in enumerate(instruction.writes):
        updated_base = instruction.writeback and (kind in _STORES or index >= instruction.words)
        written_by[register] = Kind.ALU if updated_base else kind
        loaded_after = index if kind is Kind.LOAD_MULTIPLE and not updated_base else 0
        written_at[register] = start + loaded_after
