"""An ADD as kernels compute it: one operand is multiplied, the other one looked up in a table.

The reference brings both operands to a common scale, adds, and requantizes. For each value of one operand, the output
is a step function of the other one, with steps that lie on a line but for the reference's roundings. So a multiplier
for one operand and a table of 256 addends for the other one give the same output: the addends are found by what all
65,536 pairs allow. Both roundings, all zero points and the sign of a difference are in the table.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from export.ir.fixed_point import Ints, multiply_two_roundings, sum_parameters
from export.ir.graph import Graph
from export.ir.ops import Add
from export.ir.tensor import Quantization
from export.kernels.elementwise.tables import TABLE_MIDDLE, TABLE_SIZE, packed_words
from export.kernels.plan import Call, Plan, Pointer
from export.kernels.requantize import bounds_beside_saturation

_VALUES = np.arange(-128, 128, dtype=np.int64)
_LARGEST_SHIFT = 22  # sums of up to 512 output steps still fit 32 bits
_TILTS = (0, 1, -1, 2, -2)  # multipliers beside the nearest one
_FREE = 1 << 62  # beyond any bound


@dataclass(frozen=True)
class Addition:
    """Numbers of an ADD: q = saturate8((rate * linear + table[other]) >> shift), clamped.

    Attributes:
        linear: Which of the two operands is multiplied.
        rate: Its multiplier, int32.
        table: 256 int32 values for the other operand -128 .. 127.
        shift: The final right shift, 1 or more.
        low: Lower clamp bound that saturation to int8 does not give already, or None.
        high: Upper clamp bound likewise.
    """

    linear: int
    rate: int
    table: tuple[int, ...]
    shift: int
    low: int | None
    high: int | None


def addition(graph: Graph, op: Add, linear: int) -> Addition | None:
    """States an operator's numbers for a choice of the operand that is multiplied; None where there are none."""
    first, second, out = (graph.tensors[tensor].quant for tensor in (*op.inputs, op.output))
    return sum_numbers(first, second, out, op.clamp, linear=linear)


def sum_numbers(
    first: Quantization,
    second: Quantization,
    out: Quantization,
    clamp: tuple[int, int],
    *,
    linear: int,
    sign: int = 1,
) -> Addition | None:
    """The numbers of a sum, or of a difference where the `sign` of the second operand is -1.

    Args:
        first: Of the first operand.
        second: Of the second operand.
        out: Of the output.
        clamp: Inclusive bounds of the quantized output.
        linear: Which operand is multiplied, 0 or 1.
        sign: Of the second operand.

    Returns:
        The numbers, checked for every pair of operands; None where there are none.
    """
    outputs = _outputs(first, second, out, clamp, sign)
    operands = (first, second)
    slopes = [factor * operand.scale / out.scale for factor, operand in zip((1, sign), operands, strict=True)]
    slope, other_slope = slopes[linear], slopes[1 - linear]
    centered = _VALUES - operands[1 - linear].zero_point
    # What each value of the table's operand adds to the output, and half a step to round.
    ideal = out.zero_point + 0.5 + other_slope * centered - slope * operands[linear].zero_point
    found = _solved(outputs if linear == 0 else outputs.T, slope, ideal, clamp)
    return None if found is None else Addition(linear, *found, *bounds_beside_saturation(clamp))


def _outputs(
    first: Quantization, second: Quantization, out: Quantization, clamp: tuple[int, int], sign: int
) -> Ints:
    """The reference's output for every pair of operands: [first, second]."""
    parameters = sum_parameters(first, second, out)
    one, other = (
        multiply_two_roundings((_VALUES - operand.zero_point) << parameters.left_shift, *multiplier)
        for operand, multiplier in ((first, parameters.input1), (second, parameters.input2))
    )
    total = one[:, None] + sign * other
    return np.clip(multiply_two_roundings(total, *parameters.output) + out.zero_point, *clamp)


def _solved(
    outputs: Ints, slope: float, ideal: np.ndarray, clamp: tuple[int, int]
) -> tuple[int, tuple[int, ...], int] | None:
    """A multiplier, a table and a shift with the same outputs [linear, other] as the reference."""
    below, above = outputs > clamp[0], outputs < clamp[1]  # where the clamp hides no step
    for shift in range(_LARGEST_SHIFT, 0, -1):
        for tilt in _TILTS:
            rate = round(slope * 2.0**shift) + tilt
            moved = rate * _VALUES[:, None]
            least = np.where(below, (outputs << shift) - moved, -_FREE).max(axis=0)
            most = np.where(above, ((outputs + 1) << shift) - moved, _FREE).min(axis=0) - 1
            wanted = np.clip(ideal * 2.0**shift, -float(_FREE), float(_FREE)).astype(np.int64)
            table = np.clip(wanted, least, most)
            fits = np.abs(moved).max() + np.abs(table).max() < 1 << 31 and abs(rate) < 1 << 31
            if fits and (least <= most).all():
                return rate, tuple(table.tolist()), shift
    return None


ADDITION_WORDS = TABLE_SIZE + 1
"""Constants that `with_addition` adds."""


def with_addition(plan: Plan, numbers: Addition | None) -> Plan:
    """Gives the kernels of a convolution the table of the Add fused behind it, its multiplier at the end."""
    if numbers is None:
        return plan
    table = Pointer("constants", 4 * (len(plan.constants) + TABLE_MIDDLE))
    words = packed_words((*numbers.table, numbers.rate), 32)
    calls = tuple(replace(call, table=table) for call in plan.calls if isinstance(call, Call))
    assert len(calls) == len(plan.calls)
    return replace(plan, calls=calls, constants=(*plan.constants, *words))
