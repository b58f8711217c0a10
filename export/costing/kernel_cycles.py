"""Cycles of a kernel: its basic blocks priced by the timing model, and how often each runs.

Which way a branch goes does not depend on data, and each branch of the kernel language says it (`language.Step.turns`),
so following the blocks gives exact counts without running a single product.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle, pairwise, repeat
from types import MappingProxyType

from export.kernels.instruction_set import MACROS
from export.kernels.instructions import ENTRY, EXIT, instructions
from export.kernels.language import Step, register_name
from export.targets.instruction import Instruction
from export.targets.pipeline import READY, State, block_cycles, continue_cycles, issue_cycles
from export.targets.timing import Timing


@dataclass
class _Block:
    """A basic block.

    Attributes:
        steps: its macros, without the branch.
        branch: the macro that may leave it, or None.
        stream: words by which its macros move the pointer to the constants, in order; negative ones go back.
        cycles: branch not taken, branch taken.
    """

    steps: list[Step] = field(default_factory=list)
    branch: Step | None = None
    stream: list[int] = field(default_factory=list)
    cycles: tuple[int, int] = (0, 0)

    def prepare(self, timing: Timing, entry: bool, leave: bool) -> None:
        """Prices the block."""
        code = self.code(entry, leave)
        falls = block_cycles(code, timing, leave) if code else 0
        self.cycles = (falls, block_cycles(code, timing, True) if self.branch is not None else falls)

    def code(self, entry: bool, leave: bool) -> list[Instruction]:
        """Its instructions, with the kernel's first and last ones where it is the first or last block."""
        code = [*(ENTRY if entry else ())]
        for item in self.all_steps():
            code += instructions(item)
        return [*code, *(EXIT if leave else ())]

    def all_steps(self) -> list[Step]:
        return self.steps if self.branch is None else [*self.steps, self.branch]


@dataclass
class _Stream:
    """How far the constants have been read."""

    read: int = 0
    words: int = 0
    rewinds: int = 0

    def move(self, words: int) -> None:
        if words < 0:
            self.words = max(self.words, self.read)
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
        cycles: from its first instruction to its return.
        words: constants of the stream one block of positions takes.
        blocks: how often the stream starts again: the blocks of positions, each row of a pool's window counted.
    """

    cycles: int
    words: int
    blocks: int


Counts = Mapping[str, int]
"""The numbers that a call gives its kernel's loops, by name."""


def kernel_cycles(steps: Sequence[Step], timing: Timing, counts: Counts = MappingProxyType({})) -> int:
    """Cycles of one call of a kernel, see `kernel_profile`."""
    return kernel_profile(steps, timing, counts).cycles


def kernel_profile(steps: Sequence[Step], timing: Timing, counts: Counts = MappingProxyType({})) -> Profile:
    """Follows one call of a kernel.

    Args:
        steps: between BEGIN and END.
        timing: the core's pipeline.
        counts: of the call.
    """
    blocks, labels = _split(steps)
    for index, block in enumerate(blocks):
        block.prepare(timing, index == 0, index == len(blocks) - 1)
    stream = _Stream()
    total = sum(blocks[index].cycles[taken] for index, taken in _follow(blocks, labels, stream, counts))
    return Profile(total, max(stream.words, stream.read), max(1, stream.rewinds))


BODY = Step("BODY")
"""Stands for the straight-line body in the steps of a frame."""


class Frame:
    """A kernel around a straight-line body that is only counted, not written.

    Attributes:
        blocks: how often the body runs.
        bits: size of the kernel's code without the body.
        entry: what the pipeline remembers where the body starts.
    """

    def __init__(self, steps: Sequence[Step], timing: Timing) -> None:
        """Follows one call of the kernel.

        Args:
            steps: between BEGIN and END, with one `BODY` in the place of the body.
            timing: the core's pipeline.
        """
        blocks, labels = _split(steps)
        stream = _Stream()
        visits = Counter(_follow(blocks, labels, stream, {}))
        held = next(index for index, block in enumerate(blocks) if BODY in block.steps)
        self.blocks = max(1, stream.rewinds)
        self._timing = timing
        self._rest = 0
        for index, block in enumerate(blocks):
            entry, leave = index == 0, index == len(blocks) - 1
            if index == held:
                at = block.steps.index(BODY)
                before = _Block(block.steps[:at]).code(entry, False)
                self._after = _Block(block.steps[at + 1 :], block.branch).code(False, leave)
                self._leaves = (leave, True)
                self._visits = (visits[index, False], visits[index, True])
            else:
                block.prepare(timing, entry, leave)
                self._rest += sum(visits[index, taken] * block.cycles[taken] for taken in (False, True))
        prefix, self.entry = continue_cycles(before, timing, READY)
        self._rest += sum(self._visits) * prefix
        self._suffix: dict[State, int] = {}
        code = [instruction for item in steps if item is not BODY for instruction in instructions(item)]
        self.bits = sum(instruction.width for instruction in (*ENTRY, *code, *EXIT))

    def cycles(self, body: int, left: State) -> int:
        """Cycles of one call.

        Args:
            body: cycles of the body, entered as `entry` says.
            left: what the pipeline remembers where the body ends.
        """
        if left not in self._suffix:
            self._suffix[left] = sum(
                count * continue_cycles(self._after, self._timing, left, leaves)[0]
                for count, leaves in zip(self._visits, self._leaves, strict=True)
            )
        return self._rest + sum(self._visits) * body + self._suffix[left]


def step_cycles(steps: Sequence[Step], timing: Timing) -> list[int]:
    """Cycles of one call of a kernel, step by step; their sum is `kernel_cycles`.

    A wait counts for the step before the one that waits, what BEGIN and END take for the first and the last step.

    Args:
        steps: between BEGIN and END.
        timing: the core's pipeline.
    """
    blocks, labels = _split(steps)
    for index, block in enumerate(blocks):
        block.prepare(timing, index == 0, index == len(blocks) - 1)
    visits = Counter(_follow(blocks, labels, _Stream(), {}))
    spent: list[int] = []
    for index, block in enumerate(blocks):
        entry, leave = index == 0, index == len(blocks) - 1
        owners = [place for place, item in enumerate(block.all_steps()) for _ in instructions(item)]
        owners = [0] * (len(ENTRY) * entry) + owners + [len(block.all_steps()) - 1] * (len(EXIT) * leave)
        cycles = [0] * max(1, len(block.all_steps()))
        for taken in (False, True):
            issued = issue_cycles(block.code(entry, leave), timing, taken or leave)
            for owner, (start, end) in zip(owners, pairwise(issued), strict=True):
                cycles[owner] += visits[index, taken] * (end - start)
        if block.all_steps():
            spent += cycles
        elif spent:  # nothing but the return
            spent[-1] += cycles[0]
    found = iter(spent)
    return [0 if item.name == "LABEL" else next(found) for item in steps]


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
    for block in blocks:
        block.stream = [words for item in block.steps if (words := _stream_words(item))]
    return blocks, labels
