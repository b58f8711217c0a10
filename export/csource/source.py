"""The argument of emitters (an operator with its layouts and symbol), and helpers for the C that they return."""

from __future__ import annotations

from dataclasses import dataclass

from export.csource.text import indent
from export.ir.graph import Graph
from export.ir.ops import Op
from export.kernels.layout import Layout

SAFE = 1 << 30
"""Values below it do not overflow where `ka_multiply_right` rounds them."""


@dataclass(frozen=True)
class Context:
    """A layer to be written.

    Attributes:
        graph: The network.
        op: The operator; None for a copy between the caller's arrays and the arena.
        sources: Layouts of the inputs.
        target: Layout of the output.
        output: Index of the tensor that is written.
        symbol: Prefix of everything the layer defines; also the name of its function.
        scratch: Whether it is given memory to work in.
    """

    graph: Graph
    op: Op | None
    sources: tuple[Layout, ...]
    target: Layout
    output: int
    symbol: str
    scratch: bool = False

    @property
    def source(self) -> Layout:
        """Layout of the first input."""
        return self.sources[0]

    @property
    def signature(self) -> str:
        """The layer function: one const pointer an input, then the output, each to the start of the buffer."""
        inputs = [f"const void *in{i}" for i in range(len(self.sources))]
        outputs = ["void *out", *(["void *scratch"] if self.scratch else [])]
        return f"void {self.symbol}({', '.join([*inputs, *outputs])})"

    def zero_point(self, tensor: int) -> int:
        return self.graph.tensors[tensor].quant.zero_point


def ctype(layout: Layout) -> str:
    return f"{layout.element}_t"


def pointer(element: str, name: str, argument: str, offset: int = 0) -> str:
    """Declares a pointer to an element of an argument of the layer's function, as C++ takes it too."""
    return f"{element} *{name} = ({element} *){argument} + {offset};\n"


def open_input(layout: Layout, number: int = 0) -> str:
    """Declares a typed pointer `x<number>` to the first pixel inside the border."""
    return pointer(f"const {ctype(layout)}", f"x{number}", f"in{number}", layout.offset(0, 0))


def open_output(layout: Layout) -> str:
    """Declares a typed pointer `y0` to the first pixel inside the border."""
    return pointer(ctype(layout), "y0", "out", layout.offset(0, 0))


def at(layout: Layout, row: str, column: str, channel: str) -> str:
    """Index of an element from the first pixel inside the border."""
    place = f"ka_place({channel})" if layout.shuffled else channel
    return f"({row}) * {layout.row} + ({column}) * {layout.pixel} + {place}"


def fill_border(layout: Layout, zero_point: int) -> str:
    """A statement that fills the output's border; nothing where there is none."""
    if not layout.has_border:
        return ""
    border = layout.border
    pixel = layout.pixel
    return (
        f"ka_border_{layout.element}(({ctype(layout)} *)out, {layout.rows}, {layout.row}, {border.top}, "
        f"{border.bottom}, {border.left * pixel}, {border.right * pixel}, {zero_point});\n"
    )


def is_right(multiplier: tuple[int, int], most: int) -> bool:
    """Whether products with values that are not beyond `most` are only shifted to the right."""
    return multiplier[1] < 0 and most < SAFE


def multiplied(value: str, multiplier: tuple[int, int], most: int, mult: str = "") -> str:
    """C that multiplies a value with two roundings.

    Args:
        value: The value.
        multiplier: Mantissa and shift.
        most: What the value is not beyond, in either direction.
        mult: A variable that holds the mantissa, if there is one.
    """
    mantissa, shift = multiplier
    if is_right(multiplier, most):
        return f"ka_multiply_right({value}, {mult or mantissa}, {-shift})"
    return f"ka_multiply({value}, {mult or mantissa}, {shift})"


def function(context: Context, body: str) -> str:
    """The layer function around its statements."""
    return f"{context.signature}\n{{\n{indent(body)}}}\n"
