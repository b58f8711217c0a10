"""The timing model: cycles of straight-line code on a core whose memories never wait.

An in-order pipeline: an instruction issues when the one before it has left the issue stage and its operands
are ready. The rules that differ between cores are the fields of `Timing`. The simulator and the cost model
both price code here, so a predicted cycle differs from a simulated one only where the code does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from export.targets.instruction import (
    FLAGS,
    LOADS,
    PC,
    REGISTER_COUNT,
    SINGLE_LOADS,
    STORES,
    Instruction,
    Kind,
    Memory,
)
from export.targets.timing import Pairing, Timing

_ACCUMULATING = frozenset({Kind.MAC, Kind.LONG_MAC})
_MULTIPLE = frozenset({Kind.LOAD_MULTIPLE, Kind.STORE_MULTIPLE})
_PRODUCTS = frozenset({Kind.MUL, Kind.MAC, Kind.LONG_MUL, Kind.LONG_MAC})
_SHIFTER = frozenset({Kind.BITS, Kind.DSP, Kind.EXTEND_ADD, Kind.SHIFTED, Kind.ROTATED, Kind.ROTATED_MOVE})
_UNPAIRED = frozenset({*_MULTIPLE, Kind.DIV, Kind.SYSTEM, Kind.TABLE_BRANCH, Kind.IT})

_JUMPS = frozenset({Kind.BRANCH, Kind.CALL})

_LONG_AGO = -16  # a cycle before any code; what was issued then is ready


@dataclass(frozen=True)
class State:
    """What a pipeline still remembers of the code before, as far as it can matter to the code after.

    Attributes:
        results: Registers whose last result is recent: number, cycles since it was issued, kind of its writer.
        previous: The instruction before, or None.
        paired: Whether it was the second of a pair.
        half: Whether the next instruction lies off a word boundary.
        run: How many 32-bit instructions off a word boundary came last in a row: 1 or 2, up to -3 if all of them
            were stores, or `_PAID`. Neither changes where the timing does not ask for them.
    """

    results: tuple[tuple[int, int, Kind], ...] = ()
    previous: Instruction | None = None
    paired: bool = False
    half: bool = False
    run: int = 0


READY = State()
"""Every register ready, nothing before, at a word boundary."""


def entered(address: int) -> State:
    """What a pipeline remembers where code starts at an address, every register ready."""
    return _READY_AT[bool(address & 2)]


_READY_AT = (READY, State(half=True))
_PAID = 4  # a run that has cost its cycle


def block_cycles(
    instructions: Sequence[Instruction], timing: Timing, taken: bool = False, before: State = READY
) -> int:
    """Returns the cycles of a block.

    Args:
        instructions: Straight-line code; only the last may branch.
        timing: The core's pipeline (`Core.timing`).
        taken: Whether the branch at the end is taken.
        before: What the code before has left.
    """
    return issue_cycles(instructions, timing, taken, before)[-1]


def arrival_cycles(target: Instruction, address: int, timing: Timing) -> int:
    """Returns what a taken branch to an instruction at an address costs beside its refill."""
    return timing.unaligned_target if target.width == 32 and address & 2 else 0


def issue_cycles(
    instructions: Sequence[Instruction], timing: Timing, taken: bool = False, before: State = READY
) -> list[int]:
    """Returns the cycle in which each instruction issues, and at the end the cycle in which the next block
    may.

    Args:
        instructions: Straight-line code; only the last may branch.
        timing: The core's pipeline (`Core.timing`).
        taken: Whether the branch at the end is taken.
        before: What the code before has left.

    Returns:
        One entry an instruction plus one; not decreasing. Instructions that issue together share a cycle.
    """
    return _issue(instructions, timing, taken, before)[0]


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
    half, run = before.half, before.run
    last = len(instructions) - 1
    pairing, aligns = timing.pairing is not Pairing.NONE, timing.aligns
    for position, current in enumerate(instructions):
        leaves = taken and position == last
        ready = _operands_ready(current, timing, written_at, written_by)
        paired = (
            pairing
            and previous is not None
            and not paired
            and ready <= free - 1
            and _may_pair(previous, current, timing, leaves)
        )
        start = free - 1 if paired else max(free, ready)
        if previous is not None and previous.kind in STORES and current.kind in LOADS:
            start += timing.load_after_store
        if aligns:
            half, run, late = _align(half, run, current)
            start += late and timing.unaligned_runs
        free = max(free, start + _occupied(previous, current, timing, leaves))
        _record_results(current, start, timing, written_at, written_by)
        issued.append(start)
        previous = current
    issued.append(free)
    recent = tuple(
        (register, free - start, written_by[register])
        for register, start in enumerate(written_at)
        if start + timing.longest_latency >= free  # a result that was ready a cycle ago delays nothing
    )
    return issued, State(recent, previous, paired, half, run)


def _align(half: bool, run: int, instruction: Instruction) -> tuple[bool, int, bool]:
    """Alignment and run after an instruction, and whether it makes the run cost a cycle."""
    if instruction.width == 16:
        return not half, 0, False
    if not half or run == _PAID:
        return half, run, False
    length = abs(run) + 1
    if run <= 0 and instruction.kind is Kind.STORE:
        return (half, -length, False) if length < 4 else (half, _PAID, True)
    return (half, length, False) if length < 3 else (half, _PAID, True)


def _operands_ready(
    instruction: Instruction, timing: Timing, written_at: list[int], written_by: list[Kind]
) -> int:
    """The first cycle in which all operands are there."""
    latency = timing.latency
    ready = _LONG_AGO
    special = timing.operand_latency.get(instruction.kind, latency)
    for register in instruction.reads:
        kind = written_by[register]
        cycles = special.get(kind, latency.get(kind, 1))
        if register == FLAGS and instruction.kind is Kind.BRANCH:
            cycles -= 1  # a branch beside the instruction that sets its flags
        if (when := written_at[register] + cycles) > ready:
            ready = when
    for register in instruction.accumulators:
        kind = written_by[register]
        cycles = timing.accumulate_latency.get(kind, latency.get(kind, 1))
        if kind in LOADS and instruction.kind not in _ACCUMULATING:
            cycles = special.get(kind, latency.get(kind, 1))  # only multipliers take a load's result late
        if (when := written_at[register] + cycles) > ready:
            ready = when
    for register in instruction.address:
        kind = written_by[register]
        cycles = timing.address_latency.get(kind, latency.get(kind, 1))
        if (when := written_at[register] + cycles) > ready:
            ready = when
    return ready


def _may_pair(first: Instruction, second: Instruction, timing: Timing, leaves: bool) -> bool:
    """Whether `second` issues together with `first`; operands are checked elsewhere."""
    if timing.pairing is Pairing.NARROW:
        if first.width != 16 or second.width != 16:
            return False
        if second.kind is Kind.BRANCH:
            return not (leaves and first.sets_flags)
        return second.kind in (Kind.IT, Kind.NOP)
    if first.kind in _UNPAIRED or second.kind in _UNPAIRED:
        return False
    if first.is_branch and first.kind is not Kind.BRANCH:  # one that is not taken pairs with what follows
        return False
    if first.kind in _PRODUCTS | STORES and second.kind in _PRODUCTS | STORES:
        return False
    if first.kind in _SHIFTER and second.kind in _SHIFTER:
        return False
    needed = {*second.accumulators, *second.address, *second.writes}
    if second.kind not in STORES:  # `ready` tells when a store can have its data
        needed |= {*second.reads}
    return needed.isdisjoint(first.writes)


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
        if _overlaps(previous, current, timing):
            cycles -= 1
        elif kind is Kind.IT and previous.width == 16:
            cycles = 0  # folded into the preceding 16-bit instruction
    return cycles + _refill(current, timing) if leaves else cycles


def _refill(branch: Instruction, timing: Timing) -> int:
    """Cycles to refill the pipeline after a branch."""
    if branch.kind in LOADS or branch.kind is Kind.TABLE_BRANCH:
        return timing.pc_load_refill
    computed = any(register != FLAGS for register in branch.reads) or branch.kind not in _JUMPS
    return timing.late_refill if computed else timing.refill


def _overlaps(previous: Instruction, current: Instruction, timing: Timing) -> bool:
    """Whether the address phase of `current` overlaps the data phase of the load before it (M3, M4)."""
    if previous.kind not in SINGLE_LOADS or PC in previous.writes:
        return False
    if _bank(previous.memory, timing) is not _bank(current.memory, timing):
        return False
    if current.writeback and not timing.pipelined_writeback:
        return False
    if any(register in previous.writes for register in current.address):
        return False
    return current.kind in SINGLE_LOADS or (current.kind is Kind.STORE and len(current.address) == 1)


def _bank(memory: Memory, timing: Timing) -> Memory:
    return Memory.SRAM if memory is Memory.STACK and not timing.stack_apart else memory


def _record_results(
    instruction: Instruction, start: int, timing: Timing, written_at: list[int], written_by: list[Kind]
) -> None:
    kind, writes = instruction.kind, instruction.writes
    if len(writes) == 1 and not instruction.writeback:  # nearly always
        written_by[writes[0]], written_at[writes[0]] = kind, start
        return
    for index, register in enumerate(writes):
        updated_base = instruction.writeback and (kind in STORES or index >= instruction.words)
        written_by[register] = Kind.ALU if updated_base else kind
        loaded_after = index * timing.cycles_per_two_words // 2
        several = kind is Kind.LOAD_MULTIPLE and not updated_base
        written_at[register] = start + (loaded_after if several else 0)
