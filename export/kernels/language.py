"""The kernel language: the K_ macros of the runtime header as records.

A kernel is a list of `Step`s. Its text is the C source that is emitted; the same list tells the cost model which
instructions run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

POSITIONS = ("x0", "x1")
WEIGHTS = ("w0", "w1")
ACCUMULATORS = tuple(f"a{i}" for i in range(8))
NEAR = 4095  # largest immediate of ADDW and of a load's offset


@dataclass(frozen=True, slots=True)
class Step:
    """One macro: its name without the K_ prefix, and its arguments."""

    name: str
    args: tuple[str | int, ...] = ()

    def __str__(self) -> str:
        return f"K_{self.name}({', '.join(map(str, self.args))})"


def step(name: str, *args: str | int) -> Step:
    return Step(name, args)


def load(registers: Sequence[str]) -> Step:
    """The next words of the constant stream, into registers in ascending order."""
    return Step(f"LOAD{len(registers)}", tuple(registers))


def loads(registers: Sequence[str]) -> list[Step]:
    """Like `load`, for any number of registers."""
    return [load(registers[i : i + 4]) for i in range(0, len(registers), 4)]


def move(pointer: str, distance: int) -> list[Step]:
    """Moves a pointer by bytes. A far move overwrites x0."""
    if distance == 0:
        return []
    name = "ADD" if distance > 0 else "SUB"
    return [Step(name if abs(distance) <= NEAR else f"{name}_FAR", (pointer, abs(distance)))]


def move_output(distance: int) -> list[Step]:
    """Moves the output pointer, which OUT() has loaded, by bytes. A far move overwrites x1."""
    if distance == 0:
        return []
    if abs(distance) > NEAR:
        return [Step("OUT_ADD_FAR", (distance,))]
    return [Step("OUT_ADD" if distance > 0 else "OUT_SUB", (abs(distance),))]


def lines(steps: Iterable[Step], width: int = 112) -> list[str]:
    """Source lines: as many multiply-accumulates on a line as fit, everything else on its own."""
    result: list[str] = []
    for item in steps:
        text = str(item)
        if (
            item.name == "MAC"
            and result
            and result[-1].startswith("K_MAC")
            and len(result[-1]) + len(text) < width
        ):
            result[-1] += " " + text
        else:
            result.append(text)
    return result
