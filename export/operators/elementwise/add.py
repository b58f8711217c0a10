"""The sum of two activations of one shape."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from export.csource.loops import counting_loops
from export.csource.source import Context, at, fill_border, function, open_input, open_output
from export.csource.work import Work, loop_work
from export.ir.fixed_point import add_parameters, multiply_two_roundings
from export.ir.graph import Graph
from export.ir.ops import Add
from export.kernels.elementwise.addition import addition
from export.kernels.elementwise.plan import plan_add
from export.kernels.layout import Layout
from export.kernels.plan import Plan
from export.operators.operator import Operator, Order
from export.operators.rules import growing, once_a_pixel, reads_elements, same_channels


def _compute(graph: Graph, op: Add, x: NDArray[np.int8], y: NDArray[np.int8]) -> NDArray[np.int8]:
    parameters = add_parameters(graph, op)
    first, second = (
        multiply_two_roundings(
            (value.astype(np.int64) - graph.tensors[tensor].quant.zero_point) << parameters.left_shift,
            *multiplier,
        )
        for value, tensor, multiplier in zip(
            (x, y), op.inputs, (parameters.input1, parameters.input2), strict=True
        )
    )
    out = (
        multiply_two_roundings(first + second, *parameters.output) + graph.tensors[op.output].quant.zero_point
    )
    return np.clip(out, *op.clamp).astype(np.int8)


def _plan(graph: Graph, op: Add, sources: Sequence[Layout], target: Layout) -> Plan | None:
    numbers = addition(graph, op, linear=0) or addition(graph, op, linear=1)
    return None if numbers is None else plan_add(sources, target, numbers)


def _work(context: Context) -> Work:
    target = context.target
    extents = (target.height, target.width, target.channels)
    return loop_work(extents, "add", layouts=(*context.sources, target))


def _emit(context: Context) -> str:
    """Both inputs brought to a common scale in 20 more bits, added, requantized."""
    op = context.op
    assert isinstance(op, Add)
    parameters = add_parameters(context.graph, op)
    target = context.target
    body = fill_border(target, context.zero_point(op.output))
    terms = []
    for number, (source, tensor, (mult, shift)) in enumerate(
        zip(context.sources, op.inputs, (parameters.input1, parameters.input2), strict=True)
    ):
        body += open_input(source, number)
        value = f"x{number}[{at(source, 'y', 'x', 'c')}] - ({context.zero_point(tensor)})"
        terms.append(f"ka_multiply(({value}) * {1 << parameters.left_shift}, {mult}, {shift})")
    body += open_output(target)
    mult, shift = parameters.output
    inner = f"int32_t sum = {terms[0]}\n    + {terms[1]};\n"
    inner += f"int32_t q = ka_multiply(sum, {mult}, {shift}) + ({context.zero_point(op.output)});\n"
    inner += f"y0[{at(target, 'y', 'x', 'c')}] = (int8_t)ka_clamp8(q, {op.clamp[0]}, {op.clamp[1]});\n"
    body += counting_loops([("y", target.height), ("x", target.width), ("c", target.channels)], inner)
    return function(context, body)


ADD = Operator(
    op=Add,
    kind="add",
    compute=_compute,
    emit=_emit,
    work=_work,
    plan=_plan,
    ranges=once_a_pixel(growing(_compute)),
    reads=reads_elements,
    channels=same_channels,
    order=Order.ANY,
    clamps=True,
)
