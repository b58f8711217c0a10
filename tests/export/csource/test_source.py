"""Pieces of C that emitters share."""

from __future__ import annotations

import pytest

from export.csource.source import at, fill_border, open_input, open_output
from export.ir.ops import Padding
from export.kernels.layout import Layout

BORDERED = Layout(4, 5, 3, 4, Padding(1, 2, 1, 0), "int16")


def test_pointers_start_behind_the_border() -> None:
    first = BORDERED.offset(0, 0)
    assert open_input(BORDERED, 1) == f"const int16_t *x1 = (const int16_t *)in1 + {first};\n"
    assert open_output(BORDERED) == f"int16_t *y0 = (int16_t *)out + {first};\n"


@pytest.mark.parametrize(("y", "x", "c"), [(0, 0, 0), (3, 4, 2), (-1, 0, 1), (2, -1, 0)])
def test_indices_are_those_of_the_layout(y: int, x: int, c: int) -> None:
    index = eval(at(BORDERED, str(y), str(x), str(c)))
    assert index == BORDERED.offset(y, x, c) - BORDERED.offset(0, 0)


def test_only_a_border_is_filled() -> None:
    assert fill_border(Layout(4, 5, 3, 3, Padding(), "int8"), 7) == ""
    assert fill_border(BORDERED, -7) == "ka_border_int16((int16_t *)out, 7, 24, 1, 2, 4, 0, -7);\n"
