"""Loops as C: which are written out, and of which the turns are hidden."""

from __future__ import annotations

import pytest

from export.csource.loops import WRITTEN_OUT, counting_loops


def test_loops_nest_in_order() -> None:
    assert counting_loops([("y", 20), ("x", 30)], "f(y, x);\n") == (
        "for (int y = 0; y < 20; y++) {\n    for (int x = 0; x < 30; x++) {\n        f(y, x);\n    }\n}\n"
    )


@pytest.mark.parametrize("turns", [2, WRITTEN_OUT])
def test_few_turns_of_short_statements_are_written_out(turns: int) -> None:
    assert counting_loops([("x", turns)], "f(x);\n", short=True) == (
        f"KA_WRITTEN_OUT\nfor (int x = 0; x < {turns}; x++) {{\n    f(x);\n}}\n"
    )


@pytest.mark.parametrize(("turns", "short"), [(2, False), (WRITTEN_OUT + 1, True), (8, False)])
def test_other_few_turns_are_hidden(turns: int, short: bool) -> None:
    assert counting_loops([("x", turns)], "f(x);\n", short=short) == (
        f"for (int x = 0, x_end = ka_hidden({turns}); x < x_end; x++) {{\n    f(x);\n}}\n"
    )


def test_only_the_innermost_loop_is_written_out() -> None:
    text = counting_loops([("y", 2), ("x", 3), ("c", 1)], "f();\n", short=True)
    assert [line.strip() for line in text.splitlines() if "f" in line or "KA" in line] == [
        "for (int y = 0, y_end = ka_hidden(2); y < y_end; y++) {",
        "KA_WRITTEN_OUT",
        "for (int x = 0; x < 3; x++) {",
        "for (int c = 0; c < 1; c++) {",
        "f();",
    ]
