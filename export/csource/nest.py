"""Nests of loops as C: see `kernels.elementwise.nest`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from export.csource.loops import WRITTEN_OUT, moved, repeated
from export.csource.text import indent, table
from export.kernels.elementwise.nest import Nest, stride


@dataclass(frozen=True)
class Operand:
    """What a nest walks through.

    Attributes:
        element: C type of its elements.
        name: Prefix of the pointers to them.
        start: C expression of a pointer, from which the nest's access counts.
    """

    element: str
    name: str
    start: str


@dataclass(frozen=True)
class WrittenNest:
    """A nest as C.

    Attributes:
        tables: Definitions of the offsets that do not grow by a stride.
        text: The statements.
    """

    tables: str
    text: str


def write_nest(
    loops: Nest,
    symbol: str,
    operands: Sequence[Operand],
    body: Callable[[Sequence[str]], str],
    *,
    short: bool = True,
) -> WrittenNest:
    """Loops around statements, in which a pointer to the element of each operand moves.

    Nothing is multiplied and no loop depends on how far elements lie apart, so that cycles follow from turns.

    Args:
        loops: The nest.
        symbol: Prefix of the tables' names; a nest inside another needs another one.
        operands: What its accesses belong to.
        body: The statements, given an lvalue of the element of each operand.
        short: Whether few turns of the innermost loop are written out: where the statements hold no loop.
    """
    tables = _tables(loops, symbol, short)
    starts = [
        f"{operand.element} *{operand.name}0 = {operand.start} + {access.start};\n"
        for operand, access in zip(operands, loops.accesses, strict=True)
    ]
    text = "".join(starts) + _level(loops, 0, operands, tables, body, short)
    return WrittenNest("".join(table("int32_t", name, values) for values, name in tables.items()), text)


def writes_out(loops: Nest, short: bool) -> bool:
    """Whether the innermost loop of a nest is written out; where there is none, its one turn is."""
    return not loops.extents or (short and loops.extents[-1] <= WRITTEN_OUT)


def _tables(loops: Nest, symbol: str, short: bool) -> dict[tuple[int, ...], str]:
    """The names of offsets that do not grow by a stride."""
    depths = len(loops.extents) - writes_out(loops, short)
    found: dict[tuple[int, ...], str] = {}
    for access in loops.accesses:
        for offsets in access.offsets[: max(0, depths)]:
            if stride(offsets) is None:
                found.setdefault(tuple(offsets.tolist()), f"{symbol}_at{len(found)}")
    return found


def _level(
    loops: Nest,
    depth: int,
    operands: Sequence[Operand],
    tables: dict[tuple[int, ...], str],
    body: Callable[[Sequence[str]], str],
    short: bool,
) -> str:
    """A loop and those within, around pointers to the first elements."""
    names = [f"{operand.name}{depth}" for operand in operands]
    if depth == len(loops.extents):
        return f"{{\n{indent(body([f'*{name}' for name in names]))}}}\n"
    extent = loops.extents[depth]
    steps = [stride(access.offsets[depth]) for access in loops.accesses]
    if depth == len(loops.extents) - 1 and writes_out(loops, short):
        places = [[int(access.offsets[depth][turn]) for access in loops.accesses] for turn in range(extent)]
        turns = [body([f"{name}[{at}]" for name, at in zip(names, row, strict=True)]) for row in places]
        return "".join(f"{{\n{indent(turn)}}}\n" for turn in turns)
    inside = before = moves = ""
    for name, operand, access, step in zip(names, operands, loops.accesses, steps, strict=True):
        at = ""
        if step is None:
            before += f"const int32_t *{name}_at = {tables[tuple(access.offsets[depth].tolist())]};\n"
            at = f" + *{name}_at"
        inside += f"{operand.element} *{operand.name}{depth + 1} = {name}{at};\n"
        moves += moved(f"{name}_at", 1) if step is None else moved(name, step)
    if depth == len(loops.extents) - 1 and None not in steps:
        inside = body([f"*{name}" for name in names])
    else:
        inside += _level(loops, depth + 1, operands, tables, body, short)
    return before + repeated(f"{operands[0].name}_{depth}", extent, inside + moves)
