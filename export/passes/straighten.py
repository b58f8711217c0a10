"""Computes arithmetic with a constant for each channel as a line for each channel, and two of them as one operator."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from export.analysis.channel_functions import VALUES, channel_functions, source_of
from export.ir.graph import Graph
from export.ir.ops import Op
from export.kernels.elementwise.lines import ChannelLine, Rounding, fit_registers
from export.operators.elementwise.arithmetic import Arithmetic, product_requantization
from export.operators.elementwise.lines import Lines

_FEWEST_POSITIONS = 12  # of which a channel's constants are worth a loop
_SHIFTS = (22, 18, 14, 10)
_WORD = 1 << 31
_INPUTS = VALUES.astype(np.int64)


def straighten(graph: Graph) -> Graph:
    """Replaces such arithmetic where lines give the same output for each of the 256 inputs of every channel."""
    ops: list[Op] = []
    made: dict[int, int] = {}
    for op in graph.ops:
        line = _line(graph, op)
        if line is None:
            ops.append(op)
            continue
        source = source_of(graph, op)
        before = ops[made[source]] if source in made else None
        joined = (*before.lines, line) if isinstance(before, Lines) else ()
        if isinstance(before, Lines) and fit_registers(joined) and _read_once(graph, source):
            made[op.output] = made[source]
            ops[made[source]] = replace(before, output=op.output, lines=joined)
        else:
            made[op.output] = len(ops)
            ops.append(Lines((source,), op.output, (line,)))
    return replace(graph, ops=tuple(ops))


def _read_once(graph: Graph, tensor: int) -> bool:
    return tensor not in graph.results and len(graph.consumers(tensor)) == 1


def _line(graph: Graph, op: Op) -> ChannelLine | None:
    if not isinstance(op, Arithmetic):
        return None
    shape = graph.tensors[op.output].shape
    functions = channel_functions(graph, op)
    if functions is None or int(np.prod(shape[:-1])) < _FEWEST_POSITIONS:
        return None
    different, places = np.unique(functions, axis=0, return_inverse=True)
    for shift in _SHIFTS:
        known: list[tuple[int, int]] = []
        for values in different:
            found = line_through(values.astype(np.int64), op.clamp, shift)
            if found is None:
                break
            known.append(found)
        else:
            slopes, offsets = zip(*(known[place] for place in places.ravel()), strict=True)
            return ChannelLine(slopes, offsets, shift, op.clamp)
    return _product(graph, op) if op.function == "mul" else None


def _product(graph: Graph, op: Arithmetic) -> ChannelLine | None:
    """A product as the reference computes it, rounded twice: for small factors that can differ from any line."""
    source = source_of(graph, op)
    constant = next(tensor for tensor in op.inputs if tensor != source)
    x, y, out = (graph.tensors[tensor].quant for tensor in (source, constant, op.output))
    finish = product_requantization(x, y, out, op.clamp)
    if finish is None:
        return None
    channels = graph.tensors[op.output].shape[-1]
    factors = np.broadcast_to(graph.constant(constant).astype(np.int64).ravel() - y.zero_point, channels)
    slopes = factors << finish.scale_bits
    rounding = Rounding(finish.mult, finish.addend, finish.mode == "signed")
    offsets = -x.zero_point * slopes
    return ChannelLine(tuple(slopes.tolist()), tuple(offsets.tolist()), finish.shift, op.clamp, rounding)


def line_through(outputs: NDArray[np.int64], clamp: tuple[int, int], shift: int) -> tuple[int, int] | None:
    """Integers with clamp((q * slope + offset) >> shift) = outputs for q = -128 .. 127, each step in 32 bits; or None.

    Each output bounds its sum from below and above, but for those at the clamp, which bound it from one side. Slopes
    between the bounds of all pairs of outputs leave room for an offset.

    Args:
        outputs: int64 [256].
        clamp: The least and the largest output.
        shift: Of the sums.
    """
    least = np.where(outputs > clamp[0], outputs << shift, -np.inf)
    most = np.where(outputs < clamp[1], ((outputs + 1) << shift) - 1, np.inf)
    runs = np.flatnonzero(np.diff(outputs)) + 1  # only the ends of equal outputs bound anything
    ends = np.unique(np.concatenate([[0], runs - 1, runs, [len(outputs) - 1]]))
    low, high, at = least[ends], most[ends], _INPUTS[ends]
    apart = (at[:, None] - at[None, :]).astype(np.float64)
    later = apart > 0
    with np.errstate(invalid="ignore"):
        flattest = ((low[:, None] - high[None, :])[later] / apart[later]).max(initial=-np.inf)
        steepest = ((high[:, None] - low[None, :])[later] / apart[later]).min(initial=np.inf)
    if np.isinf(flattest) or np.isinf(steepest):
        flattest = steepest = (
            0.0 if np.isinf(flattest) and np.isinf(steepest) else _finite(flattest, steepest)
        )
    slope = round((flattest + steepest) / 2)
    offset = _offset(least - _INPUTS * slope, most - _INPUTS * slope)
    if offset is None:
        return None
    products = _INPUTS * slope
    sums = products + offset
    exact = np.array_equal(np.clip(sums >> shift, *clamp), outputs)
    return (slope, offset) if exact and max(abs(products).max(), abs(sums).max()) < _WORD else None


def _finite(*ends: float) -> float:
    return next(end for end in ends if np.isfinite(end))


def _offset(least: NDArray[np.float64], most: NDArray[np.float64]) -> int | None:
    """An integer between all bounds, the one in the middle where there are several."""
    low, high = least.max(), most.min()
    if low > high:
        return None
    if np.isinf(low) or np.isinf(high):
        return 0 if np.isinf(low) and np.isinf(high) else int(_finite(low, high))
    return int(low + high) // 2
