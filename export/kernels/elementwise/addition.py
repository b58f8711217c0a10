"""An ADD as kernels compute it: one input enters the sum as itself, the other one through a table.

The input of the larger scale counts 2^19 times its value, exactly; the other one's multiplier, both roundings and all
zero points are in a table of 256 sums. Both are doubled, as the requantization wants it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from export.ir.fixed_point import multiply_two_roundings, sum_parameters
from export.ir.graph import Graph
from export.ir.ops import Add
from export.ir.tensor import Quantization
from export.kernels.elementwise.tables import TABLE_MIDDLE, TABLE_SIZE, packed_words
from export.kernels.plan import Call, Plan, Pointer
from export.kernels.requantize import Requantization, plan_requantization

LINEAR_SHIFT = 20  # of the input of the larger scale, doubled
_HALF = (1 << 30, 0)  # the multiplier of the larger scale: exactly one half


@dataclass(frozen=True)
class Addition:
    """Numbers of an ADD: q = requantized((linear << 20) + table[other]).

    Attributes:
        linear: which of the two inputs has the larger scale.
        table: 256 int32 values for the other input -128 .. 127.
        finish: requantization of the sum, mode "round" or "signed".
    """

    linear: int
    table: tuple[int, ...]
    finish: Requantization


def addition(graph: Graph, op: Add) -> Addition | None:
    """States an operator's numbers; None where they do not fit the kernels' requantization."""
    first, second, out = (graph.tensors[tensor].quant for tensor in (*op.inputs, op.output))
    return sum_numbers(first, second, out, op.clamp)


def sum_numbers(
    first: Quantization, second: Quantization, out: Quantization, clamp: tuple[int, int], sign: int = 1
) -> Addition | None:
    """The numbers of a sum, or of a difference where the `sign` of the second operand is -1.

    Returns:
        The numbers, or None where they do not fit the kernels' requantization, or where the operand of the larger
        scale, which kernels add as it is, would be subtracted.
    """
    parameters = sum_parameters(first, second, out)
    linear = 0 if parameters.input1 == _HALF else 1
    if (parameters.input1, parameters.input2)[linear] != _HALF or (linear == 1 and sign < 0):
        return None
    multiplier = (parameters.input2, parameters.input1)[linear]
    zero_points = (first.zero_point, second.zero_point)
    centered = np.arange(-128, 128, dtype=np.int64) - zero_points[1 - linear]
    other = multiply_two_roundings(centered << parameters.left_shift, *multiplier)
    half = 1 << (parameters.left_shift - 1)
    table = (other if linear == 1 else sign * other) - zero_points[linear] * half
    finish = plan_requantization(
        parameters.output,
        out.zero_point,
        clamp,
        (int(table.min()) - 128 * half, int(table.max()) + 127 * half),
        1,
        once=False,
    )
    if finish is None or finish.scale_bits != 1:
        return None
    return Addition(linear, tuple((2 * table).tolist()), finish)


ADDITION_WORDS = TABLE_SIZE + 2
"""Constants that `with_addition` adds."""


def with_addition(plan: Plan, numbers: Addition | None) -> Plan:
    """Gives the kernels of a convolution the table of the Add fused behind it, its requantization at the end."""
    if numbers is None:
        return plan
    table = Pointer("constants", 4 * (len(plan.constants) + TABLE_MIDDLE))
    words = packed_words((*numbers.table, numbers.finish.mult, numbers.finish.addend), 32)
    calls = tuple(replace(call, table=table) for call in plan.calls if isinstance(call, Call))
    assert len(calls) == len(plan.calls)
    return replace(plan, calls=calls, constants=(*plan.constants, *words))
