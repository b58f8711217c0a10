"""The kernel language: macros of `instruction_set` with their arguments, as records.

A kernel is a list of `Step`s. Its text is the C source that is emitted; the same list tells the cost model which
instructions run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from export.targets.instruction import LR

POSITIONS = ("x0", "x1")
WEIGHTS = ("w0", "w1")
ACCUMULATORS = tuple(f"a{i}" for i in range(8))
WORD = 4  # bytes
NEAR = 4095  # largest immediate of ADDW and of a load's offset

_ROLES = {
    "in": "r0",
    "wt": "r1",
    "w0": "r2",
    "w1": "r3",
    "x0": "r4",
    "x1": "r5",
    **{f"a{i}": f"r{6 + i}" for i in range(7)},
    "a7": "lr",
    "to": "lr",  # elementwise kernels hold the output pointer here, and the table's address in x1
}
_SLOTS = {
    "keep": 0,
    "out": 4,
    "last": 5,
    "rows": 6,
    "count": 7,
    "outer": 8,
    "half": 9,
    "table": 10,
    "stream": 11,
}
FRAME = 12
"""Stack slots of a kernel that uses the named ones."""

Turns = tuple[tuple[bool, int | str], ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One macro.

    Attributes:
        name: Without the K_ prefix.
        args: Registers of the core, numbers and labels, as `instruction_set.Macro.parameters` says.
        turns: Of a conditional branch: whether it is taken, and how often in a row, again and again. A name in the
            place of a number stands for one that the call gives (`plan.Call.counts`).
    """

    name: str
    args: tuple[str | int, ...] = ()
    turns: Turns = ()

    def __str__(self) -> str:
        return f"K_{self.name}({', '.join(map(str, self.args))})"


def step(name: str, *args: str | int, turns: Turns = ()) -> Step:
    """A macro, registers and stack slots given by their roles or their own names."""
    return Step(
        name, tuple(_ROLES.get(a, _SLOTS.get(a, a)) if isinstance(a, str) else a for a in args), turns
    )


OPEN = (step("COPY", "to", "w0"), step("COPY", "x1", "w1"))
"""How elementwise kernels begin: the output pointer and the table's address move to where they stay."""


def register_name(role: str) -> str:
    """The core's register of a role."""
    return _ROLES[role]


def register_number(role: str) -> int:
    """Its number."""
    name = _ROLES[role]
    return LR if name == "lr" else int(name[1:])


def label(number: int) -> Step:
    return Step("LABEL", (number,))


def load(registers: Sequence[str]) -> Step:
    """The next words of the constant stream, into registers in ascending order."""
    return step(f"LOAD{len(registers)}", *registers)


def loads(registers: Sequence[str]) -> list[Step]:
    """Like `load`, for any number of registers."""
    return [load(registers[i : i + 4]) for i in range(0, len(registers), 4)]


def move(pointer: str, distance: int) -> list[Step]:
    """Moves a pointer by bytes. A far move overwrites x0."""
    if distance == 0:
        return []
    name = "ADD" if distance > 0 else "SUB"
    return [step(name if abs(distance) <= NEAR else f"{name}_FAR", pointer, abs(distance))]


def move_output(distance: int) -> list[Step]:
    """Moves the output pointer, which FETCH has brought to x0, by bytes. A far move overwrites x1."""
    if distance == 0:
        return []
    if abs(distance) > NEAR:
        return [step("MOVED_FAR", distance, "out")]
    return [step("MOVED" if distance > 0 else "MOVED_BACK", abs(distance), "out")]


def repeat(slot: str, count: int, at: int, body: Sequence[Step]) -> list[Step]:
    """A loop that counts down in a stack slot. Overwrites x0."""
    again = step("AGAIN", slot, at, turns=((True, count - 1), (False, 1)))
    return [step("SET", count, slot), label(at), *body, again]


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
