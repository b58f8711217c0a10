"""Nests as C, and the counts of their work."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from export.csource.nest import Operand, write_nest
from export.csource.work import border_work, nest_work
from export.ir.ops import Padding
from export.kernels.elementwise.nest import Nest, nest
from export.kernels.layout import Layout

IN, OUT = Operand("const int8_t", "from", "x"), Operand("int8_t", "to", "y")


def _layout(channels: int, element: str = "int8") -> Layout:
    return Layout(1, 4, channels, channels, Padding(), element)


def _nest(layout: Layout, taken: Sequence[int]) -> Nest:
    """Some channels of each pixel."""
    index = np.arange(4 * layout.channels).reshape(4, layout.channels)[:, list(taken)]
    return nest((layout, _layout(len(taken))), (index, np.arange(index.size).reshape(index.shape)))


def _text(loops: Nest) -> str:
    return write_nest(loops, "t", (IN, OUT), lambda places: f"{places[1]} = {places[0]};\n").text


def test_few_turns_are_written_out() -> None:
    loops = _nest(_layout(9), (1, 3, 5))
    text = _text(loops)
    assert text.startswith("const int8_t *from0 = x + 1;\nint8_t *to0 = y + 0;\n")
    assert [line.strip() for line in text.splitlines() if " = from" in line and "*from" not in line] == [
        f"to1[{turn}] = from1[{2 * turn}];" for turn in range(3)
    ]
    assert text.count("do {") == 1
    layouts = (_layout(9), _layout(3))
    assert nest_work(loops, "move", layouts) == {"move loop": 1, "move of 3": 12}


def test_offsets_of_no_stride_are_looked_up() -> None:
    loops = _nest(_layout(9), (0, 5, 1, 8, 2))
    written = write_nest(loops, "t", (IN, OUT), lambda places: f"{places[1]} = {places[0]};\n")
    assert written.tables == "static const int32_t t_at0[5] = {\n    0, 5, 1, 8, 2,\n};\n"
    assert "from1 + *from1_at" in written.text
    assert nest_work(loops, "move", (_layout(9), _layout(5))) == {
        "move outer": 4,
        "move loop": 4,
        "move": 20,
        "int8 offset": 20,
        "bytes": 20,
    }


@pytest.mark.parametrize(("element", "far"), [("int8", 0), ("int16", 36)])
def test_pointers_move_so_far_by_themselves(element: str, far: int) -> None:
    layout = Layout(9, 1, 4, 200, Padding(), element)
    index = np.arange(36).reshape(9, 4).T
    loops = nest((layout, _layout(36)), (index, np.arange(36).reshape(4, 9)))
    assert nest_work(loops, "move", (layout, _layout(36)))["move far"] == far


def test_borders_are_work() -> None:
    assert border_work(Layout(4, 5, 3, 4, Padding(1, 2, 1, 0), "int16")) == {
        "border element": 7 * 24 - 4 * 5 * 4,
        "border row": 4,
    }
    assert not border_work(_layout(3))
