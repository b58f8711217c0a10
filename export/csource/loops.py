"""Loops as C, whose cycles follow from their turns.

Compilers unroll short loops as they see fit, and derive counters and pointers from each other. Turns and steps of
pointers are hidden from the optimizer here, so that the machine code matches the cost model.
"""

from __future__ import annotations

from collections.abc import Sequence

from export.csource.text import indent

WRITTEN_OUT = 3
"""Turns up to which a loop around a short statement is written out."""
_HIDDEN = 8  # turns up to which GCC may write out a loop at -O2


def counting_loops(extents: Sequence[tuple[str, int]], body: str) -> str:
    """Nested loops that count up.

    Args:
        extents: Variables and turns, the outermost first.
        body: The statements in the last one.
    """
    for name, turns in reversed(extents):
        start, end = f"int {name} = 0", str(turns)
        if 1 < turns <= _HIDDEN:
            start, end = f"{start}, {name}_end = ka_hidden({turns})", f"{name}_end"
        body = f"for ({start}; {name} < {end}; {name}++) {{\n{indent(body)}}}\n"
    return body


def repeated(name: str, turns: int, body: str) -> str:
    """A loop of at least one turn whose counter and extent the compiler knows nothing of.

    Args:
        name: Of the counter, which the statements must not use.
        turns: How many.
        body: The statements.
    """
    inside = indent(f"{body}KA_TURN({name});\n")
    return f"int {name} = ka_hidden({turns});\ndo {{\n{inside}}} while (--{name});\n"


def moved(name: str, by: int) -> str:
    """Moves a pointer or counts, which the compiler is to do as it is written."""
    return f"{name} += {by};\nKA_FORGET({name});\n" if by else ""
