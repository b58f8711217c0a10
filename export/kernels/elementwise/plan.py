"""Plans of operators that visit elements one by one: copies, tables, sums, and the filling of borders."""

from __future__ import annotations

from collections.abc import Sequence

from export.kernels.elementwise.addition import Addition
from export.kernels.elementwise.loops import Dimension, Emit, write_loop_nest
from export.kernels.elementwise.tables import TABLE_MIDDLE, packed_words
from export.kernels.language.steps import Step, step
from export.kernels.layout import Layout
from export.kernels.plan import Call, Kernel, Plan, Pointer, joined
from export.kernels.requantize import Requantization

VALUES = ("a0", "a1", "a2", "a3")
OTHERS = ("a4", "a5", "a6", "x0")


def get(register: str, pointer: str, layout: Layout, offset: int) -> Step:
    """Loads an element, widened."""
    return step("GET8" if layout.element == "int8" else "GET16", register, pointer, offset)


def put(register: str, layout: Layout, offset: int) -> Step:
    """Stores an element of the output."""
    return step("PUT8" if layout.element == "int8" else "PUT16", register, offset)


def _dimensions(extent: tuple[int, int, int], layouts: Sequence[Layout | None]) -> list[Dimension]:
    """Loops over rows, pixels and channels; the pointer of a missing operand does not move."""

    def moves(axis: int) -> tuple[int, int, int]:
        distances = [
            0 if layout is None else (layout.row, layout.pixel, 1)[axis] * layout.element_bytes
            for layout in layouts
        ]
        return distances[0], distances[1], distances[2]

    return [Dimension(count, moves(axis)) for axis, count in enumerate(extent)]


def _visit(
    extent: tuple[int, int, int],
    layouts: tuple[Layout, Layout | None, Layout],
    emit: Emit,
    prologue: Sequence[Step] = (),
) -> list[Step]:
    """Visits all elements of one or two operands and an output."""
    shuffled = [layout is not None and layout.shuffled for layout in layouts]
    return write_loop_nest(
        _dimensions(extent, layouts), emit, prologue, (shuffled[0], shuffled[1], shuffled[2])
    )


def _extent(layout: Layout) -> tuple[int, int, int]:
    return layout.height, layout.width, layout.channels


def _start(layout: Layout, y: int = 0, x: int = 0, channel: int = 0) -> int:
    """Byte offset of an element from the buffer's start."""
    return layout.offset(y, x, channel) * layout.element_bytes


def plan_copy(source: Layout, target: Layout, at: tuple[int, int, int] = (0, 0, 0), number: int = 0) -> Plan:
    """Copies the whole input `number` into the output from (row, column, channel) on, changing its layout."""

    def emit(offsets: Sequence[tuple[int, int, int]]) -> list[Step]:
        steps = [get(a, "in", source, o[0]) for a, o in zip(VALUES, offsets, strict=False)]
        return steps + [put(a, target, o[2]) for a, o in zip(VALUES, offsets, strict=False)]

    steps = _visit(_extent(source), (source, None, target), emit)
    call = Call(0, Pointer(f"in{number}", _start(source)), Pointer("out", _start(target, *at)))
    return Plan("direct", (Kernel(tuple(steps)),), (call,), ())


def requantized(finish: Requantization, lanes: Sequence[tuple[str, str]]) -> list[Step]:
    """Turns accumulators into outputs, given their registers and spare ones; w0 and w1 hold the constants."""
    if finish.mode == "signed":
        steps = [step("SIGN", b, a) for a, b in lanes] + [step("SCALE_BY", a, b) for a, b in lanes]
    else:
        steps = [step("SCALE", a) for a, _ in lanes]
    return steps + _saturated(finish, lanes)


def summed(numbers: Addition, lanes: Sequence[tuple[str, str]]) -> list[Step]:
    """Adds operands that are multiplied, in the second registers, to values of the table; w0 holds the multiplier."""
    steps = [step("PRODUCT_PLUS", a, b, "w0", a) for a, b in lanes]
    return steps + _saturated(numbers, lanes)


def _saturated(numbers: Requantization | Addition, lanes: Sequence[tuple[str, str]]) -> list[Step]:
    steps = [step("SATURATE", a, numbers.shift) if numbers.shift else step("SATURATE0", a) for a, _ in lanes]
    if numbers.low is not None:
        steps += [step("AT_LEAST", a, numbers.low) for a, _ in lanes]
    if numbers.high is not None:
        steps += [step("AT_MOST", a, numbers.high) for a, _ in lanes]
    return steps


def plan_fill(layout: Layout, value: int) -> Plan:
    """Stores a value everywhere inside the output's border."""
    return _fill(
        layout, value, layout.offset(0, 0), [(layout.height, layout.row), (layout.width * layout.pixel, 1)]
    )


def plan_lookup(source: Layout, target: Layout, table: Sequence[int]) -> Plan:
    """Looks every element up in a table of 256 int8 values."""

    def emit(offsets: Sequence[tuple[int, int, int]]) -> list[Step]:
        steps = [get(a, "in", source, o[0]) for a, o in zip(VALUES, offsets, strict=False)]
        steps += [step("LOOK8", a) for a, _ in zip(VALUES, offsets, strict=False)]
        return steps + [put(a, target, o[2]) for a, o in zip(VALUES, offsets, strict=False)]

    steps = _visit(_extent(source), (source, None, target), emit)
    call = Call(
        0,
        Pointer("in0", _start(source)),
        Pointer("out", _start(target)),
        table=Pointer("constants", TABLE_MIDDLE),
    )
    return Plan("direct", (Kernel(tuple(steps)),), (call,), packed_words(table, 8))


def plan_add(sources: Sequence[Layout], target: Layout, numbers: Addition) -> Plan:
    """Adds two tensors.

    Args:
        sources: Layouts of the inputs.
        target: Layout of the output.
        numbers: What is computed.
    """
    linear, other = sources[numbers.linear], sources[1 - numbers.linear]

    def emit(offsets: Sequence[tuple[int, int, int]]) -> list[Step]:
        lanes = list(zip(VALUES, OTHERS, offsets, strict=False))
        steps = [get(a, "wt", other, o[1]) for a, _, o in lanes]
        steps += [get(b, "in", linear, o[0]) for _, b, o in lanes]
        steps += [step("LOOK32", a) for a, _, _ in lanes]
        steps += summed(numbers, [(a, b) for a, b, _ in lanes])
        return steps + [put(a, target, o[2]) for a, _, o in lanes]

    steps = _visit(_extent(target), (linear, other, target), emit, [step("SET32", "w0", numbers.rate)])
    call = Call(
        0,
        Pointer(f"in{numbers.linear}", _start(linear)),
        Pointer("out", _start(target)),
        Pointer(f"in{1 - numbers.linear}", _start(other)),
        Pointer("constants", 4 * TABLE_MIDDLE),
    )
    return Plan("direct", (Kernel(tuple(steps)),), (call,), packed_words(numbers.table, 32))


def plan_border(layout: Layout, zero_point: int) -> Plan | None:
    """Fills the output's border with the zero point; None where there is no border."""
    border, row, line = layout.border, layout.row, layout.line
    left, right = border.left * layout.pixel, border.right * layout.pixel
    planes = (layout.planes, layout.rows * row)
    lines = (layout.height * max(1, layout.lines), line)
    first = border.top * row
    areas = [
        (0, [planes, (border.top * row, 1)]),
        ((layout.rows - border.bottom) * row, [planes, (border.bottom * row, 1)]),
        (first, [planes, lines, (left, 1)]),
        (first + line - right, [planes, lines, (right, 1)]),
    ]
    plans = []
    for start, loops in areas:
        if loops[-1][0]:
            plans.append(_fill(layout, zero_point, start, loops))
    return joined(plans, "direct") if plans else None


def _fill(layout: Layout, zero_point: int, start: int, loops: list[tuple[int, int]]) -> Plan:
    """Stores the zero point over an area, by words where its runs consist of whole words."""
    size = layout.element_bytes
    whole = all(distance * size % 4 == 0 for _, distance in loops[:-1])
    by_words = whole and start * size % 4 == 0 and loops[-1][0] * size % 4 == 0
    width = 4 if by_words else size
    dimensions = [Dimension(count, (0, 0, distance * size)) for count, distance in loops[:-1]]
    dimensions.append(Dimension(loops[-1][0] * size // width, (0, 0, width)))
    pattern = zero_point & (0xFF if size == 1 else 0xFFFF)
    if by_words:
        pattern *= 0x01010101 if size == 1 else 0x00010001
    store = "PUT32" if by_words else f"PUT{8 * size}"

    def emit(offsets: Sequence[tuple[int, int, int]]) -> list[Step]:
        return [step(store, "a0", o[2]) for o in offsets]

    steps = write_loop_nest(dimensions, emit, [step("SET32", "a0", pattern)])
    call = Call(0, Pointer("out", start * size), Pointer("out", start * size))
    return Plan("direct", (Kernel(tuple(steps)),), (call,), ())
