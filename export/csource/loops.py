"""Loops as C, whose cycles follow from their turns.

Of loops of few turns, compilers write some out and loop around others, as it suits what stands in them. Here those
around a short statement are always written out, and of others the turns are hidden from the compiler.
"""

from __future__ import annotations

from collections.abc import Sequence

from export.csource.text import indent

WRITTEN_OUT = 3
"""Turns up to which a loop around a short statement is written out."""
_HIDDEN = 8  # turns up to which GCC may write out a loop at -O2


def counting_loops(extents: Sequence[tuple[str, int]], body: str, *, short: bool = False) -> str:
    """Nested loops that count up.

    Args:
        extents: Variables and turns, the outermost first.
        body: The statements in the last one.
        short: Whether they are few, and hold no loop.
    """
    for name, turns in reversed(extents):
        start, end = f"int {name} = 0", str(turns)
        if _hides(turns, short):
            start, end = f"{start}, {name}_end = {loop_turns(turns, short)}", f"{name}_end"
        head = f"{before_loop(turns, short)}for ({start}; {name} < {end}; {name}++)"
        body, short = f"{head} {{\n{indent(body)}}}\n", short and turns == 1
    return body


def before_loop(turns: int, short: bool) -> str:
    """What stands before a loop."""
    return "KA_WRITTEN_OUT\n" if short and 1 < turns <= WRITTEN_OUT else ""


def loop_turns(turns: int, short: bool) -> str:
    """The number of a loop's turns, hidden or not."""
    return f"ka_hidden({turns})" if _hides(turns, short) else str(turns)


def _hides(turns: int, short: bool) -> bool:
    return 1 < turns <= _HIDDEN and not (short and turns <= WRITTEN_OUT)
