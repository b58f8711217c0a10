"""Cycles of a kernel: its basic blocks priced by the timing model, and how often each runs.

Which way a branch goes does not depend on data, and each branch of the kernel language says it (see
`language.steps.Step`), so following the blocks gives exact counts without running a single product.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate, cycle, pairwise, repeat
from types import MappingProxyType

from export.kernels.language.instruction_set import MACROS
from export.kernels.language.instructions import ENTRY, EXIT, instructions
from export.kernels.language.steps import Step, register_name
from export.targets.instruction import Instruction, Kind
from export.targets.pipeline import (
    State,
    arrival_cycles,
    block_cycles,
    continue_cycles,
    entered,
    issue_cycles,
)
from export.targets.timing import Timing


@dataclass
class _Block:
    """A basic block.

    Attributes:
        steps: Its macros, without the branch.
        branch: The macro that may leave it, or None.
        stream: Words by which its macros move the pointer to the constants, in order; negative ones go back, and those
            forward in a row are one.
        cycles: Branch not taken, branch taken.
        arrival: What a branch to the block costs beside its own cycles.
    """

    steps: list[Step] = field(default_factory=list)
    branch: Step | None = None
    stream: list[int] = field(default_factory=list)
    cycles: tuple[int, int] = (0, 0)
    arrival: int = 0

    def prepare(self, timing: Timing, entry: bool, leave: bool, address: int) -> int:
        """Prices the block where it lies; returns where it ends."""
        code = self.code(entry, leave)
        if not code:
            return address
        before = entered(address)
        falls = block_cycles(code, timing, leave, before)
        self.cycles = (falls, block_cycles(code, timing, True, before) if self.branch is not None else falls)
        self.arrival = arrival_cycles(code[0], address, timing)
        return address + _bytes(code)

    def code(self, entry: bool, leave: bool) -> list[Instruction]:
        """Its instructions, with the kernel's first and last ones where it is the first or last block."""
        return [*(ENTRY if entry else ()), *self._own_code, *(EXIT if leave else ())]

    @cached_property
    def _own_code(self) -> list[Instruction]:
        code: list[Instruction] = []
        for item in self.all_steps():
            code += instructions(item)
        return code

    def all_steps(self) -> list[Step]:
        return self.steps if self.branch is None else [*self.steps, self.branch]


@dataclass
class _Stream:
    """How far the constants have been read."""

    read: int = 0
    words: int = 0
    window: int = 0
    rewinds: int = 0

    def move(self, words: int) -> None:
        if words < 0:
            self.words = max(self.words, self.read)
            self.window = max(self.window, -words)
            self.rewinds += 1
        self.read += words


_POINTER = register_name("wt")


def _stream_words(item: Step) -> int:
    """Words by which a macro moves the pointer to the constants."""
    if item.name.startswith("LOAD"):
        return len(item.args)
    if item.name in ("ADD", "ADD_FAR", "SUB", "SUB_FAR") and item.args[0] == _POINTER:
        words = int(item.args[1]) // 4
        return words if item.name.startswith("ADD") else -words
    return 0


@dataclass(frozen=True)
class Profile:
    """One call of a kernel.

    Attributes:
        cycles: From its first instruction to its return.
        words: Constants of the stream that it reads.
        window: Those that it reads each time its code runs: the same ones repeatedly, or new ones.
        blocks: How often its code runs and a window is read: in a convolution the blocks of positions, each row of a
            pool's window counted.
    """

    cycles: int
    words: int
    window: int
    blocks: int


Counts = Mapping[str, int]
"""The numbers that a call gives its kernel's loops, by name."""


def kernel_profile(steps: Sequence[Step], timing: Timing, counts: Counts = MappingProxyType({})) -> Profile:
    """Follows one call of a kernel.

    Args:
        steps: Between BEGIN and END.
        timing: The core's pipeline.
        counts: Of the call.
    """
    blocks, labels = _split(steps)
    _prepare(blocks, timing)
    stream = _Stream()
    visits = Counter(_follow(blocks, labels, stream, counts))
    total = sum(count * _visit_cycles(blocks, labels, *visit) for visit, count in visits.items())
    words = max(stream.words, stream.read)
    passes = stream.rewinds or _passes(blocks, visits)
    return Profile(total, words, stream.window or -(-words // passes), passes)


def _passes(blocks: Sequence[_Block], visits: Counter[tuple[int, bool]]) -> int:
    """How often the code runs, as a mean over its bytes."""
    sizes = [_bytes(block.code(False, False)) for block in blocks]
    ran = sum(count * sizes[visit[0]] for visit, count in visits.items())
    return max(1, round(ran / max(1, sum(sizes))))


BODY = Step("BODY")
"""Stands for the straight-line body in the steps of a frame."""


class Frame:
    """A kernel around a straight-line body that is only counted, not written.

    Attributes:
        blocks: How often the body runs.
        bits: Size of the kernel's code without the body.
        entry: What the pipeline remembers where the body starts.
    """

    def __init__(self, steps: Sequence[Step], timing: Timing, counts: Counts = MappingProxyType({})) -> None:
        """Follows one call of the kernel.

        Args:
            steps: Between BEGIN and END, with one `BODY` in the place of the body.
            timing: The core's pipeline.
            counts: Of the call.
        """
        blocks, labels = _split(steps)
        stream = _Stream()
        visits = Counter(_follow(blocks, labels, stream, counts))
        held = next(index for index, block in enumerate(blocks) if BODY in block.steps)
        self.blocks = max(1, stream.rewinds)
        self._timing = timing
        at, leave = blocks[held].steps.index(BODY), held == len(blocks) - 1
        before = _Block(blocks[held].steps[:at]).code(held == 0, False)
        self._after = _Block(blocks[held].steps[at + 1 :], blocks[held].branch).code(False, leave)
        self._leaves = (leave, True)
        self._visits = (visits[held, False], visits[held, True])
        start = _prepare(blocks[:held], timing, last=False)
        prefix, self.entry = continue_cycles(before, timing, entered(start))
        # A body starts with an instruction of 32 bits: it loads an operand, or moves the pointer to it.
        first = before[0] if before else Instruction(Kind.LOAD)
        blocks[held] = replace(blocks[held], arrival=arrival_cycles(first, start, timing))
        self._rest = []
        for half in (0, 2):  # as the body moves what follows it by words, or by words and a half
            _prepare(blocks[held + 1 :], timing, start + _bytes((*before, *self._after)) + half, first=False)
            self._rest.append(
                sum(self._visits) * prefix
                + sum(count * _visit_cycles(blocks, labels, *visit) for visit, count in visits.items())
            )
        self._suffix: dict[State, int] = {}
        code = [instruction for item in steps if item is not BODY for instruction in instructions(item)]
        self.bits = sum(instruction.width for instruction in (*ENTRY, *code, *EXIT))

    def cycles(self, body: int, left: State) -> int:
        """Cycles of one call.

        Args:
            body: Cycles of the body, entered as `entry` says.
            left: What the pipeline remembers where the body ends.
        """
        if left not in self._suffix:
            self._suffix[left] = self._rest[left.half != self.entry.half] + sum(
                count * continue_cycles(self._after, self._timing, left, leaves)[0]
                for count, leaves in zip(self._visits, self._leaves, strict=True)
            )
        return sum(self._visits) * body + self._suffix[left]


def step_cycles(steps: Sequence[Step], timing: Timing, counts: Counts = MappingProxyType({})) -> list[int]:
    """Cycles of one call of a kernel, step by step; their sum is the cycles of `kernel_profile`.

    A wait counts for the step before the one that waits, what BEGIN and END take for the first and the last step.

    Args:
        steps: Between BEGIN and END.
        timing: The core's pipeline.
        counts: Of the call.
    """
    blocks, labels = _split(steps)
    _prepare(blocks, timing)
    starts = _starts(blocks)
    visits = Counter(_follow(blocks, labels, _Stream(), counts))
    spent: list[int] = []
    for index, block in enumerate(blocks):
        entry, leave = index == 0, index == len(blocks) - 1
        owners = [place for place, item in enumerate(block.all_steps()) for _ in instructions(item)]
        owners = [0] * (len(ENTRY) * entry) + owners + [len(block.all_steps()) - 1] * (len(EXIT) * leave)
        cycles = [0] * max(1, len(block.all_steps()))
        code, before = block.code(entry, leave), entered(starts[index])
        for taken in (False, True):
            issued = issue_cycles(code, timing, taken or leave, before)
            for owner, (start, end) in zip(owners, pairwise(issued), strict=True):
                cycles[owner] += visits[index, taken] * (end - start)
        if visits[index, True]:
            assert block.branch is not None
            cycles[-1] += visits[index, True] * blocks[labels[int(block.branch.args[-1])]].arrival
        if block.all_steps():
            spent += cycles
        elif spent:  # nothing but the return
            spent[-1] += cycles[0]
    found = iter(spent)
    return [0 if item.name == "LABEL" else next(found) for item in steps]


def count_steps(steps: Sequence[Step], names: Collection[str], counts: Counts = MappingProxyType({})) -> int:
    """How many steps of some names run in one call of a kernel.

    Args:
        steps: Between BEGIN and END.
        names: Of macros that do not branch.
        counts: Of the call.
    """
    blocks, labels = _split(steps)
    found = [sum(item.name in names for item in block.steps if item is not BODY) for block in blocks]
    return sum(found[index] for index, _ in _follow(blocks, labels, _Stream(), counts))


def _starts(blocks: Sequence[_Block]) -> list[int]:
    """Where each block starts, in bytes from the start of the kernel."""
    sizes = [_bytes(block.code(i == 0, i == len(blocks) - 1)) for i, block in enumerate(blocks)]
    return [0, *accumulate(sizes)]


def _prepare(
    blocks: Sequence[_Block], timing: Timing, start: int = 0, *, first: bool = True, last: bool = True
) -> int:
    """Prices blocks next to each other.

    Args:
        blocks: Some of a kernel's.
        timing: The core's pipeline.
        start: Where they start, in bytes from the start of the kernel.
        first: Whether the kernel starts with them.
        last: Whether it ends with them.

    Returns:
        Where they end.
    """
    for index, block in enumerate(blocks):
        start = block.prepare(timing, first and index == 0, last and index == len(blocks) - 1, start)
    return start


def _visit_cycles(blocks: Sequence[_Block], labels: Mapping[int, int], index: int, taken: bool) -> int:
    """Cycles of a block that has been priced, and of the way to where its branch leads."""
    block = blocks[index]
    if not taken:
        return block.cycles[False]
    assert block.branch is not None
    return block.cycles[True] + blocks[labels[int(block.branch.args[-1])]].arrival


def _bytes(code: Iterable[Instruction]) -> int:
    return sum(instruction.width for instruction in code) // 8


def _follow(
    blocks: Sequence[_Block], labels: Mapping[int, int], stream: _Stream, counts: Counts
) -> Iterator[tuple[int, bool]]:
    """Yields every block that runs, in order: its index, and whether its branch is taken."""
    ways = [_ways(block.branch, counts) for block in blocks]
    current = 0
    while current < len(blocks):
        block = blocks[current]
        for words in block.stream:
            stream.move(words)
        taken = next(ways[current])
        yield current, taken
        current = labels[int(block.branch.args[-1])] if block.branch is not None and taken else current + 1


def _ways(branch: Step | None, counts: Counts) -> Iterator[bool]:
    """Whether a branch is taken, each time it is met."""
    if branch is None:
        return repeat(False)
    turns = ((way, counts[times] - 1 if isinstance(times, str) else times) for way, times in branch.turns)
    return cycle([way for way, times in turns for _ in range(times)])


def _split(steps: Sequence[Step]) -> tuple[list[_Block], dict[int, int]]:
    """Basic blocks, and the block each label starts."""
    blocks, labels = [_Block()], {}
    for item in steps:
        if item.name == "LABEL":
            if blocks[-1].steps or blocks[-1].branch or len(blocks) == 1:
                blocks.append(_Block())
            labels[int(item.args[0])] = len(blocks) - 1
        elif item is not BODY and MACROS[item.name].is_branch:
            blocks[-1].branch = item
            blocks.append(_Block())
        else:
            blocks[-1].steps.append(item)
    if any(item.name.startswith("LOAD") for item in steps):  # otherwise the register points to something else
        for block in blocks:
            block.stream = _joined(words for item in block.steps if (words := _stream_words(item)))
    return blocks, labels


def _joined(moves: Iterable[int]) -> list[int]:
    """Moves of the stream, those forward that follow each other as one."""
    found: list[int] = []
    for words in moves:
        if found and words > 0 < found[-1]:
            found[-1] += words
        else:
            found.append(words)
    return found
