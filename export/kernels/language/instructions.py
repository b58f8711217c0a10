"""The instructions of each step of the kernel language, parsed from its assembly for the timing model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from export.kernels.language.instruction_set import MACROS, Operand
from export.kernels.language.steps import Step
from export.targets import Timing
from export.targets.assembly import assemble
from export.targets.instruction import LOADS, Instruction, Memory

_SAMPLES = (0, 1, 4, 255, 4095, 70000, -5)  # numbers of which some have short encodings

_SAVED = "r4, r5, r6, r7, r8, r9, r10, r11"

ENTRY = (assemble(f"push {{{_SAVED}, lr}}"), assemble("sub.w sp, sp, #4"))
"""What BEGIN expands to."""

EXIT = (assemble("add sp, #4"), assemble(f"pop {{{_SAVED}, pc}}"))
"""What END expands to."""


def aligned(steps: Sequence[Step], timing: Timing) -> tuple[Step, ...]:
    """A kernel's steps with its labels on word boundaries, on cores where that matters.

    Args:
        steps: Between BEGIN and END.
        timing: The core's pipeline.
    """
    if not timing.aligns:
        return tuple(steps)
    found: list[Step] = []
    bits = sum(instruction.width for instruction in ENTRY)
    end = 1 + max((place for place, item in enumerate(steps) if item.name == "LABEL"), default=-1)
    for item in steps[:end]:
        if item.name == "LABEL" and bits % 32:
            found.append(Step("ALIGN"))
            bits += sum(instruction.width for instruction in instructions(found[-1]))
        found.append(item)
        bits += sum(instruction.width for instruction in instructions(item))
    return (*found, *steps[end:])


def wide(item: Step) -> Step:
    """The step, in 32 bits if it loads two constants."""
    return replace(item, name="LOAD2_WIDE") if item.name == "LOAD2" else item


def instructions(item: Step) -> tuple[Instruction, ...]:
    """The instructions a step expands to; none for a label."""
    return instructions_of(item.name, item.args)


def instructions_of(name: str, args: tuple[str | int, ...]) -> tuple[Instruction, ...]:
    """The instructions a macro expands to with some arguments."""
    if not _numbers_matter(name):
        args = tuple([a if isinstance(a, str) else 0 for a in args])
    return _instructions(name, args)


@cache
def _instructions(name: str, args: tuple[str | int, ...]) -> tuple[Instruction, ...]:
    macro = MACROS[name]
    if name == "LABEL":
        return ()
    found = [assemble(line) for line in macro.lines(args)]
    return tuple(
        replace(one, memory=Memory.FLASH) if macro.constants and one.kind in LOADS else one for one in found
    )


@cache
def _numbers_matter(name: str) -> bool:
    """Whether a macro's instructions differ by its numbers; not so for most, of which there are many."""
    kinds = list(MACROS[name].parameters.values())
    numbers = iter(range(len(kinds)))
    registers = [f"r{next(numbers)}" if kind is Operand.REGISTER else "" for kind in kinds]
    found = {_instructions(name, tuple(register or sample for register in registers)) for sample in _SAMPLES}
    return len(found) > 1
