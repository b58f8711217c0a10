"""Cycles of a kernel: its basic blocks priced by the timing model, and how often each runs.

Which way a branch goes depends on loop counters and on the input pointer alone, both known when the code is written,
so walking the blocks gives exact counts without running a single product.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..targets.pipeline import block_cycles
from ..targets.timing import Timing
from .instructions import ENTRY, EXIT, instructions
from .machine import Step

_BRANCHES = frozenset({"AGAIN", "SECOND", "NEXT", "PAST", "GOTO"})


@dataclass
class _Block:
    """A basic block: its instructions, the control steps in it, and the label its branch goes to."""

    steps: list[Step] = field(default_factory=list)
    branch: Step | None = None
    cycles: tuple[int, int] = (0, 0)  # branch not taken, taken

    def price(self, timing: Timing, entry: bool, leave: bool) -> None:
        code = [*(ENTRY if entry else ())]
        for item in self.steps:
            code += instructions(item)
        if self.branch is not None:
            code += instructions(self.branch)
        code += EXIT if leave else ()
        falls = block_cycles(code, timing, leave) if code else 0
        self.cycles = (falls, block_cycles(code, timing, True) if self.branch is not None else falls)


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


def kernel_cycles(steps: Sequence[Step], timing: Timing) -> int:
    """Cycles of one call of a kernel, see `kernel_profile`."""
    return kernel_profile(steps, timing).cycles


def kernel_profile(steps: Sequence[Step], timing: Timing) -> Profile:
    """Follows one call of a kernel.

    Args:
        steps: between BEGIN and END.
        timing: the core's pipeline.
    """
    blocks, labels = _split(steps)
    for index, block in enumerate(blocks):
        block.price(timing, index == 0, index == len(blocks) - 1)
    slots: dict[str, int] = {}
    pointer = total = current = words = rewinds = read = 0
    while current < len(blocks):
        block = blocks[current]
        for item in block.steps:
            if item.name == "SET":
                slots[str(item.args[0])] = int(item.args[1])
            elif item.name.startswith("LAST"):
                slots["last"] = pointer + int(item.args[0])
            elif item.name[:3] in ("ADD", "SUB") and item.args[0] == "in":
                pointer += int(item.args[1]) * (1 if item.name.startswith("ADD") else -1)
            elif item.name.startswith("LOAD"):
                read += len(item.args)
            elif item.name.startswith("SUB") and item.args[0] == "wt":
                words, read, rewinds = max(words, read), read - int(item.args[1]) // 4, rewinds + 1
        taken = _taken(block.branch, slots, pointer)
        total += block.cycles[taken]
        current = labels[int(block.branch.args[-1])] if block.branch is not None and taken else current + 1
    return Profile(total, max(words, read), max(1, rewinds))


def _split(steps: Sequence[Step]) -> tuple[list[_Block], dict[int, int]]:
    """Basic blocks, and the block each label starts."""
    blocks, labels = [_Block()], {}
    for item in steps:
        if item.name == "LABEL":
            if blocks[-1].steps or blocks[-1].branch or len(blocks) == 1:
                blocks.append(_Block())
            labels[int(item.args[0])] = len(blocks) - 1
        elif item.name in _BRANCHES:
            blocks[-1].branch = item
            blocks.append(_Block())
        else:
            blocks[-1].steps.append(item)
    return blocks, labels


def _taken(branch: Step | None, slots: dict[str, int], pointer: int) -> bool:
    if branch is None:
        return False
    if branch.name == "AGAIN":
        slot = str(branch.args[0])
        slots[slot] -= 1
        return slots[slot] != 0
    if branch.name == "SECOND":
        slots["half"] -= 1
        return slots["half"] == 0
    if branch.name == "NEXT":
        return pointer <= slots["last"]
    if branch.name == "PAST":
        return pointer - int(branch.args[0]) != slots["last"]
    return True
