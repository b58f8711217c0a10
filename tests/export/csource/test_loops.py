"""Loops as C, of which turns are hidden from compilers."""

from __future__ import annotations

import pytest

from export.csource.loops import counting_loops, moved, repeated


def test_loops_nest_in_order() -> None:
    assert counting_loops([("y", 20), ("x", 30)], "f(y, x);\n") == (
        "for (int y = 0; y < 20; y++) {\n    for (int x = 0; x < 30; x++) {\n        f(y, x);\n    }\n}\n"
    )


@pytest.mark.parametrize("turns", [2, 8])
def test_few_turns_are_hidden(turns: int) -> None:
    assert counting_loops([("x", turns)], "f(x);\n") == (
        f"for (int x = 0, x_end = ka_hidden({turns}); x < x_end; x++) {{\n    f(x);\n}}\n"
    )


def test_repeated_statements_know_nothing_of_their_turns() -> None:
    assert (
        repeated("c", 1, "f();\n")
        == "int c = ka_hidden(1);\ndo {\n    f();\n    KA_TURN(c);\n} while (--c);\n"
    )


def test_what_does_not_move_is_not_touched() -> None:
    assert moved("x", -3) == "x += -3;\nKA_FORGET(x);\n"
    assert moved("x", 0) == ""
