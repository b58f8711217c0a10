"""SVDF: a dense layer whose results of the last inferences are weighted and summed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.csource.source import Context, at, ctype, fill_border, function, open_output
from export.csource.text import table
from export.csource.work import Work
from export.errors import ModelFormatError, QuantizationError, UnsupportedModelError
from export.ir.fixed_point import INT32_MAX, Multiplier, multiply_two_roundings, quantize_multiplier
from export.ir.graph import Graph
from export.ir.ops import Op
from export.operators.operator import Operator
from export.reading.flatbuffer import RawOperator
from export.reading.lowering import Lowering

_OPTIONS = "SVDFOptions"
_RELU = 1
_FEATURE, _TIME, _BIAS, _STATE = 1, 2, 3, 4


@dataclass(frozen=True)
class Svdf(Op):
    """Reads a vector and the state int16 [filters, memory] and moves the state on by one.

    Attributes:
        feature: int8 [filters, inputs] as bytes: what the input is multiplied with.
        time: int16 [filters, memory] as bytes: what the state is multiplied with.
        offsets: The bias of each unit.
        rank: Filters that are summed for a unit.
        first: Multiplier of the first sum.
        second: Multiplier of the second sum.
    """

    feature: bytes
    time: bytes
    offsets: tuple[int, ...]
    rank: int
    first: Multiplier
    second: Multiplier

    @property
    def updates(self) -> tuple[int, ...]:
        return self.inputs[1:]


def _read(state: Lowering, op: RawOperator) -> Op:
    state.arity(op, 5)
    source = state.activation(op)
    shape = state.shape(source)
    feature, time, held = (state.stored(op, position) for position in (_FEATURE, _TIME, _STATE))
    if (feature.dtype, time.dtype, held.dtype) != ("int8", "int16", "int16"):
        raise UnsupportedModelError(
            f"{op}: expected int8 weights of features, int16 ones of time and an int16 state, got {feature.dtype}, "
            f"{time.dtype} and {held.dtype}"
        )
    weights, memory = state.values(feature, str(op)), state.values(time, str(op))
    rank = state.option(op, _OPTIONS, "Rank")
    if state.option(op, _OPTIONS, "FusedActivationFunction") != _RELU:
        raise UnsupportedModelError(
            f"{op}: only RELU is supported as its activation, as in TFLite; build the layer with it"
        )
    fits = weights.ndim == memory.ndim == 2 and len(weights) == len(memory) and rank >= 1
    if not fits or len(weights) % rank or shape != (1, weights.shape[1]):
        raise ModelFormatError(
            f"{op}: weights {weights.shape} and {memory.shape} of rank {rank} for an input {shape}; the file is damaged"
        )
    units = len(weights) // rank
    output = state.define(op, (1, units))
    bias = np.zeros(units, np.int32)
    if op.inputs[_BIAS] >= 0:
        bias = state.values(state.stored(op, _BIAS), str(op))
    if bias.shape != (units,) or bias.dtype != np.int32:
        raise ModelFormatError(f"{op}: a bias of {bias.dtype} {bias.shape}; the file is damaged")
    kept = state.quantization(held, str(op), per_tensor=True)
    scales = [
        np.float32(state.quantization(tensor, str(op), per_tensor=True).scale)
        for tensor in (feature, time, held)
    ]
    first = np.float32(state.tensors[source].quant.scale) * scales[0] / scales[2]
    second = scales[2] * scales[1] / np.float32(state.tensors[output].quant.scale)
    multipliers = quantize_multiplier(float(first)), quantize_multiplier(float(second))
    _check(op, weights, memory, bias, rank, multipliers)
    initial = np.full((1, memory.size), kept.zero_point, held.dtype)
    kept_at = state.add_state(held.name, initial, kept)
    return Svdf(
        (source, kept_at),
        output,
        weights.tobytes(),
        memory.tobytes(),
        tuple(bias.tolist()),
        rank,
        *multipliers,
    )


def _check(
    op: RawOperator,
    weights: NDArray[Any],
    memory: NDArray[Any],
    bias: NDArray[Any],
    rank: int,
    multipliers: tuple[Multiplier, Multiplier],
) -> None:
    largest = 255 * int(np.abs(weights.astype(np.int64)).sum(axis=1).max())
    sums = 65535 * np.abs(memory.astype(np.int64)).sum(axis=1).reshape(-1, rank).sum(axis=1)
    second = int((sums + np.abs(bias.astype(np.int64))).max())
    for most, (_, shift) in zip((largest, second), multipliers, strict=True):
        if most << max(0, shift) > INT32_MAX:
            raise QuantizationError(f"{op}: sums of products can overflow 32 bits; quantize the model again")


def _matrices(op: Svdf) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    filters = len(op.offsets) * op.rank
    feature = np.frombuffer(op.feature, np.int8).reshape(filters, -1).astype(np.int64)
    return feature, np.frombuffer(op.time, np.int16).reshape(filters, -1).astype(np.int64)


def _compute(graph: Graph, op: Svdf, x: NDArray[np.int8], held: NDArray[Any]) -> tuple[Any, ...]:
    feature, time = _matrices(op)
    source, kept, target = (graph.tensors[tensor] for tensor in (*op.inputs, op.output))
    low, high = np.iinfo(kept.dtype).min, np.iinfo(kept.dtype).max
    fresh = multiply_two_roundings(
        (x.reshape(len(x), -1).astype(np.int64) - source.quant.zero_point) @ feature.T, *op.first
    )
    moved = np.roll(held.reshape(len(x), *time.shape).astype(np.int64), -1, axis=2)
    moved[:, :, -1] = np.clip(fresh, low, high) + kept.quant.zero_point
    moved = moved.astype(kept.dtype).astype(np.int64)
    sums = ((moved - kept.quant.zero_point) * time).sum(axis=2)
    total = sums.reshape(len(x), -1, op.rank).sum(axis=2) + np.array(op.offsets)
    out = multiply_two_roundings(total, *op.second) + target.quant.zero_point
    made = np.clip(out, -128, 127).astype(np.int8).reshape(len(x), *target.shape[1:])
    return made, moved.astype(kept.dtype).reshape(held.shape)


def _work(context: Context) -> Work:
    op = context.op
    assert isinstance(op, Svdf)
    feature, time = _matrices(op)
    filters, units = len(feature), len(op.offsets)
    moved = filters * (time.shape[1] - 1)
    found = Counter({"svdf product": feature.size, "svdf sum": time.size, "svdf shift": moved})
    found += Counter({"requantize": filters + units, "svdf loop": 2 * filters + units})
    return found + Counter(bytes=feature.size + 2 * time.size + 4 * units)


def _emit(context: Context) -> str:
    graph, op, symbol, source, target = (
        context.graph,
        context.op,
        context.symbol,
        context.source,
        context.target,
    )
    assert isinstance(op, Svdf)
    feature, time = _matrices(op)
    filters, inputs = feature.shape
    memory = time.shape[1]
    kept = graph.tensors[op.inputs[1]]
    held = f"{kept.dtype}_t"
    low, high = np.iinfo(kept.dtype).min, np.iinfo(kept.dtype).max
    tables = table("int8_t", f"{symbol}_feature", feature.ravel().tolist())
    tables += table(held, f"{symbol}_time", time.ravel().tolist())
    tables += table("int32_t", f"{symbol}_bias", op.offsets)
    zero_point, fill = context.zero_point(op.inputs[0]), kept.quant.zero_point
    body = fill_border(target, context.zero_point(op.output)) + open_output(target)
    body += f"const {ctype(source)} *x0 = (const {ctype(source)} *)in0 + {source.offset(0, 0)};\n"
    body += f"{held} *s = ({held} *)(uintptr_t)in1;\n"
    body += f"for (int f = 0; f < {filters}; f++) {{\n"
    body += f"    for (int m = 0; m < {memory - 1}; m++)\n        s[f * {memory} + m] = s[f * {memory} + m + 1];\n"
    body += "    int32_t sum = 0;\n"
    body += f"    for (int i = 0; i < {inputs}; i++)\n"
    place = at(source, "0", "0", "i")
    body += f"        sum += (x0[{place}] - ({zero_point})) * {symbol}_feature[f * {inputs} + i];\n"
    body += f"    sum = ka_clamp(ka_multiply(sum, {op.first[0]}, {op.first[1]}), {low}, {high});\n"
    body += f"    s[f * {memory} + {memory - 1}] = ({held})(sum + ({fill}));\n}}\n"
    body += f"for (int c = 0; c < {len(op.offsets)}; c++) {{\n    int32_t sum = {symbol}_bias[c];\n"
    body += f"    for (int i = c * {op.rank * memory}; i < (c + 1) * {op.rank * memory}; i++)\n"
    body += f"        sum += (s[i] - ({fill})) * {symbol}_time[i];\n"
    body += f"    int32_t q = ka_multiply(sum, {op.second[0]}, {op.second[1]}) + ({context.zero_point(op.output)});\n"
    body += f"    y0[{at(target, '0', '0', 'c')}] = ({ctype(target)})ka_clamp8(q, -128, 127);\n}}\n"
    return tables + function(context, body)


SVDF = Operator(
    op=Svdf,
    kind="svdf",
    compute=_compute,
    emit=_emit,
    work=_work,
    readers={"SVDF": _read},
    limits="batch 1, RELU, an int16 state that is kept from inference to inference",
)
