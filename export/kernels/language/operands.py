"""How macros use their registers, derived from their instructions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from export.kernels.language.instruction_set import MACROS, Macro, Operand
from export.kernels.language.instructions import instructions
from export.kernels.language.steps import Step
from export.targets import Kind
from export.targets.instruction import STORES

_PLACEHOLDERS = ("r0", "r2", "r4", "r6", "r8", "r10")


@dataclass(frozen=True)
class Use:
    """How a macro uses its registers, by their positions among all parameters.

    Attributes:
        kind: Of its first instruction.
        result: The one it writes, or None.
        tied: Whether it reads that one too, so that the result takes over the operand's register.
        reads: Ordinary operands.
        late: Accumulators, and what a store stores.
        addresses: Addresses.
        length: How many instructions it is.
        issues: How many of them take a cycle of their own: all but IT, which may join its neighbor.
    """

    kind: Kind
    result: int | None
    tied: bool
    reads: tuple[int, ...]
    late: tuple[int, ...]
    addresses: tuple[int, ...]
    length: int
    issues: int


@cache
def use_of(name: str) -> Use:
    """Reads a macro's use of registers off its instructions."""
    macro: Macro = MACROS[name]
    places = register_places(name)
    registers = dict(zip(places, _PLACEHOLDERS, strict=False))
    numbers = {place: int(register[1:]) for place, register in registers.items()}
    code = instructions(Step(name, tuple(registers.get(place, 1) for place in range(len(macro.parameters)))))
    written = [place for place in places if any(numbers[place] in one.writes for one in code)]
    if len(written) > 1:
        raise ValueError(
            f"{name} writes more than one register; straight-line code takes macros of one result"
        )

    def found(where: str) -> tuple[int, ...]:
        held: set[int] = set()
        seen: set[int] = set()
        for one in code:
            held |= set(getattr(one, where)) - seen
            seen |= set(one.writes)
        return tuple(place for place in places if numbers[place] in held)

    store = code[0].kind in STORES
    reads, late, addresses = found("reads"), found("accumulators"), found("address")
    result = written[0] if written else None
    tied = result is not None and result in (*reads, *late, *addresses)
    issues = sum(one.kind is not Kind.IT for one in code)
    return Use(
        kind=code[0].kind,
        result=result,
        tied=tied,
        reads=() if store else reads,
        late=reads if store else late,
        addresses=addresses,
        length=len(code),
        issues=issues,
    )


@cache
def register_places(name: str) -> tuple[int, ...]:
    """The positions of a macro's registers among its parameters."""
    kinds = MACROS[name].parameters.values()
    return tuple(position for position, kind in enumerate(kinds) if kind is Operand.REGISTER)
