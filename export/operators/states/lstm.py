"""UNIDIRECTIONAL_SEQUENCE_LSTM with int8 activations and weights and a 16-bit cell."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.csource.source import Context, ctype, fill_border, function, open_output
from export.csource.text import indent, table
from export.csource.work import Work
from export.errors import ModelFormatError, QuantizationError, UnsupportedModelError
from export.ir.fixed_point import (
    INT32_MAX,
    Ints,
    Multiplier,
    multiply_two_roundings,
    quantize_multiplier,
    rounding_shift_right,
)
from export.ir.fixed_point16 import logistic, saturated, tanh
from export.ir.graph import Graph
from export.ir.ops import Op
from export.ir.tensor import Quantization
from export.kernels.layout import Layout
from export.operators.operator import Operator
from export.operators.states.fixed_point16_c import FUNCTIONS
from export.reading.flatbuffer import RawOperator
from export.reading.lowering import Lowering

_OPTIONS = "UnidirectionalSequenceLSTMOptions"
_INPUTS = 24
_GATES = ("input", "forget", "cell", "output")
_WEIGHTS, _RECURRENT, _PEEPHOLE, _BIAS, _PROJECTION, _HIDDEN, _CELL, _NORM = 1, 5, 9, 12, 16, 18, 19, 20
_TANH = 4
_GATE_SCALE = np.float32(2.0**-12)


@dataclass(frozen=True)
class Gate:
    """A gate's numbers.

    Attributes:
        weights: int8 [units, inputs], as bytes.
        recurrent: int8 [units, units], as bytes.
        bias: Of the products with inputs, their zero point folded in.
        recurrent_bias: Of the products with the hidden state, likewise.
        multiplier: Brings the first sum to Q3.12.
        recurrent_multiplier: Brings the second sum to Q3.12.
    """

    weights: bytes
    recurrent: bytes
    bias: tuple[int, ...]
    recurrent_bias: tuple[int, ...]
    multiplier: Multiplier
    recurrent_multiplier: Multiplier


@dataclass(frozen=True)
class Lstm(Op):
    """Reads a sequence [steps, inputs], the hidden state int8 [units] and the cell int16 [units], and updates both.

    Attributes:
        gates: Input, forget, cell and output gate.
        cell_shift: The cell's scale is 2^-cell_shift.
        clip: Bound of the cell's magnitude, 0 for none.
        hidden: Multiplier of tanh(cell) times the output gate, in Q0.30.
        hidden_zero_point: Of the hidden state.
    """

    gates: tuple[Gate, ...]
    cell_shift: int
    clip: int
    hidden: Multiplier
    hidden_zero_point: int

    @property
    def updates(self) -> tuple[int, ...]:
        return self.inputs[1:]


def _read(state: Lowering, op: RawOperator) -> Op:
    if len(op.inputs) != _INPUTS or len(op.outputs) != 1 or len(op.intermediates) != 5:
        raise UnsupportedModelError(
            f"{op}: expected {_INPUTS} inputs and 5 intermediate tensors, as an LSTM of int8 activations and a 16-bit "
            f"cell has, got {len(op.inputs)} and {len(op.intermediates)}"
        )
    _check_kind(state, op)
    source = state.activation(op)
    shape = state.shape(source)
    hidden, cell = (state.stored(op, position) for position in (_HIDDEN, _CELL))
    units = hidden.shape[-1] if hidden.shape else 0
    batch = 1 if state.option(op, _OPTIONS, "TimeMajor") else 0
    if len(shape) != 3 or shape[batch] != 1:
        raise UnsupportedModelError(
            f"{op}: expected a sequence of batch 1, got shape {shape}, whose dimension {batch} is the batch"
        )
    if hidden.dtype != "int8" or cell.dtype != "int16" or not hidden.variable or not cell.variable:
        raise UnsupportedModelError(
            f"{op}: expected an int8 hidden state and an int16 cell state, got {hidden.dtype} and {cell.dtype}"
        )
    held = state.quantization(hidden, str(op), per_tensor=True)
    output = state.define(op, (*shape[:2], units))
    if state.tensors[output].quant != held:
        raise QuantizationError(f"{op}: its output and its hidden state must share one scale and zero point")
    gates = tuple(
        _gate(state, op, number, state.tensors[source].quant, held, (units, shape[2])) for number in range(4)
    )
    cell_scale = cell.scales[0] if cell.scales else 0.0
    power = math.frexp(cell_scale)
    if power[0] != 0.5 or not -15 <= power[1] - 1 <= -9:
        raise QuantizationError(
            f"{op}: the cell state's scale {cell_scale:g} is no power of two of 2^-15 to 2^-9"
        )
    clip = state.option(op, _OPTIONS, "CellClip")
    clip = int(min(max(clip / cell_scale, -32768.0), 32767.0)) if clip > 0 else 0
    if op.intermediates[4] < 0:
        raise ModelFormatError(f"{op}: its intermediate tensor 4 is missing; the file is damaged")
    effective = state.quantization(state.raw.tensors[op.intermediates[4]], str(op), per_tensor=True)
    scale = np.float32(2.0**-15) / np.float32(effective.scale) * np.float32(2.0**-15)
    multiplier = quantize_multiplier(float(scale))
    if multiplier[1] > 0:  # products are up to 2^30
        raise QuantizationError(
            f"{op}: the scale {effective.scale:g} of its intermediate tensor 4 is so small that the hidden state can "
            "overflow 32 bits, expected at least 2^-30; quantize the model again"
        )
    h = state.add_state(hidden.name, np.full((1, units), held.zero_point, np.int8), held)
    c = state.add_state(cell.name, np.zeros((1, units), np.int16), Quantization((cell_scale,), (0,)))
    return Lstm(
        (source, h, c),
        output,
        gates,
        1 - power[1],
        clip,
        multiplier,
        effective.zero_point,
    )


def _check_kind(state: Lowering, op: RawOperator) -> None:
    """Variants of the operator that are not supported."""
    optional = (*range(_PEEPHOLE, _BIAS), *range(_PROJECTION, _HIDDEN), *range(_NORM, _INPUTS))
    if any(op.inputs[position] >= 0 for position in optional) or op.inputs[_WEIGHTS] < 0:
        raise UnsupportedModelError(
            f"{op}: coupled gates, peepholes, projections and layer normalization are not supported; use a plain LSTM"
        )
    if state.option(op, _OPTIONS, "DiagonalRecurrentTensors"):
        raise UnsupportedModelError(
            f"{op}: recurrent weights that are diagonals are not supported; use full matrices"
        )
    if state.option(op, _OPTIONS, "FusedActivationFunction") != _TANH:
        raise UnsupportedModelError(
            f"{op}: only tanh is supported as its activation; build the layer with it"
        )


def _gate(
    state: Lowering, op: RawOperator, number: int, x: Quantization, h: Quantization, shape: tuple[int, int]
) -> Gate:
    units, inputs = shape
    weights, scale = _weights(state, op, _WEIGHTS + number, (units, inputs))
    recurrent, recurrent_scale = _weights(state, op, _RECURRENT + number, (units, units))
    stored = state.stored(op, _BIAS + number)
    bias = state.values(stored, str(op))
    if stored.dtype != "int32" or bias.shape != (units,):
        raise ModelFormatError(f"{op}: a bias of {stored.dtype} {bias.shape}; the file is damaged")
    folded = bias.astype(np.int64) - x.zero_point * weights.sum(axis=1, dtype=np.int64)
    folded_recurrent = -h.zero_point * recurrent.sum(axis=1, dtype=np.int64)
    multiplier = quantize_multiplier(float(np.float32(scale) * np.float32(x.scale) / _GATE_SCALE))
    again = quantize_multiplier(float(np.float32(recurrent_scale) * np.float32(h.scale) / _GATE_SCALE))
    for offsets, rows, (_, shift) in (
        (folded, weights, multiplier),
        (folded_recurrent, recurrent, again),
    ):
        most = int((np.abs(offsets) + 128 * np.abs(rows.astype(np.int64)).sum(axis=1)).max())
        if most << max(0, shift) > INT32_MAX:
            raise QuantizationError(f"{op}: sums of products can overflow 32 bits; quantize the model again")
    return Gate(
        weights.tobytes(),
        recurrent.tobytes(),
        tuple(folded.tolist()),
        tuple(folded_recurrent.tolist()),
        multiplier,
        again,
    )


def _weights(
    state: Lowering, op: RawOperator, position: int, shape: tuple[int, int]
) -> tuple[NDArray[np.int8], float]:
    stored = state.stored(op, position)
    values = state.values(stored, str(op))
    quantization = state.quantization(stored, str(op), per_tensor=True)
    if stored.dtype != "int8" or values.shape != shape or quantization.zero_point:
        raise ModelFormatError(
            f"{op}: weights of {stored.dtype} {values.shape}, expected int8 {shape} with zero point 0"
        )
    return values, quantization.scale


def _matrix(data: bytes, units: int) -> Ints:
    return np.frombuffer(data, np.int8).reshape(units, -1).astype(np.int64)


def _compute(
    graph: Graph, op: Lstm, x: NDArray[np.int8], h: NDArray[Any], c: NDArray[Any]
) -> tuple[Any, ...]:
    units = h.shape[-1]
    sequence = x.reshape(len(x), -1, x.shape[-1]).astype(np.int64)
    hidden, cell = h.reshape(len(x), units).astype(np.int64), c.reshape(len(x), units).astype(np.int64)
    outputs = []
    for step in range(sequence.shape[1]):
        sums = [_sum(gate, sequence[:, step], hidden) for gate in op.gates]
        enter, forget, leave = (logistic(sums[number]) for number in (0, 1, 3))
        fresh = tanh(sums[2], 3)
        kept = saturated(rounding_shift_right(forget * cell, 15))
        cell = saturated(kept + saturated(rounding_shift_right(enter * fresh, 30 - op.cell_shift)))
        if op.clip:
            cell = np.clip(cell, -op.clip, op.clip)
        shown = tanh(cell, 15 - op.cell_shift)
        hidden = multiply_two_roundings(leave * shown, *op.hidden) + op.hidden_zero_point
        hidden = np.clip(hidden, -128, 127)
        outputs.append(hidden)
    made = np.stack(outputs, axis=1).astype(np.int8).reshape(len(x), *graph.tensors[op.output].shape[1:])
    return made, hidden.astype(np.int8).reshape(h.shape), cell.astype(np.int16).reshape(c.shape)


def _sum(gate: Gate, x: Ints, hidden: Ints) -> Ints:
    """A gate before its activation, Q3.12: two sums, each requantized."""
    units = hidden.shape[1]
    first = x @ _matrix(gate.weights, units).T + np.array(gate.bias)
    total = saturated(multiply_two_roundings(first, *gate.multiplier))
    second = hidden @ _matrix(gate.recurrent, units).T + np.array(gate.recurrent_bias)
    return saturated(total + multiply_two_roundings(second, *gate.recurrent_multiplier))


def _emit(context: Context) -> str:
    graph, op, symbol = context.graph, context.op, context.symbol
    assert isinstance(op, Lstm)
    units = graph.tensors[op.inputs[1]].shape[-1]
    inputs = graph.tensors[op.inputs[0]].shape[-1]
    steps = graph.tensors[op.inputs[0]].size // inputs
    source, target = context.source, context.target
    tables = ""
    for name, gate in zip(_GATES, op.gates, strict=True):
        tables += table("int8_t", f"{symbol}_{name}", np.frombuffer(gate.weights, np.int8).tolist())
        tables += table("int8_t", f"{symbol}_{name}_h", np.frombuffer(gate.recurrent, np.int8).tolist())
        tables += table("int32_t", f"{symbol}_{name}_b", gate.bias)
        tables += table("int32_t", f"{symbol}_{name}_hb", gate.recurrent_bias)
    turn = f"const {ctype(source)} *x = (const {ctype(source)} *)in0 + {source.offset(0, 0)} + t * {_step(source)};\n"
    turn += f"{ctype(target)} *y = y0 + t * {_step(target)};\n"  # all units read h before any changes it
    turn += f"for (int u = 0; u < {units}; u++) {{\n{indent(_unit(op, symbol, inputs, units))}}}\n"
    turn += f"for (int u = 0; u < {units}; u++) {{\n    h[u] = (int8_t)y[u];\n}}\n"
    body = fill_border(target, context.zero_point(op.output)) + open_output(target)
    body += "int8_t *h = (int8_t *)(uintptr_t)in1;\nint16_t *c = (int16_t *)(uintptr_t)in2;\n"
    body += f"for (int t = 0; t < {steps}; t++) {{\n{indent(turn)}}}\n"
    helper = _HELPER.replace("INPUTS", str(inputs)).replace("UNITS", str(units))
    return tables + FUNCTIONS + helper.replace("ELEMENT", ctype(source)) + function(context, body)


def _work(context: Context) -> Work:
    graph, op = context.graph, context.op
    assert isinstance(op, Lstm)
    units, inputs = graph.tensors[op.inputs[1]].shape[-1], graph.tensors[op.inputs[0]].shape[-1]
    turns = graph.tensors[op.inputs[0]].size // inputs * units
    size = 4 * units * (inputs + units + 8)
    return Counter({"lstm product": 4 * turns * (inputs + units), "lstm unit": turns, "bytes": size})


def _unit(op: Lstm, symbol: str, inputs: int, units: int) -> str:
    """One unit's new cell and hidden state."""
    text = "".join(
        f"int32_t {name} = lstm_gate(x, {symbol}_{name} + u * {inputs}, h, {symbol}_{name}_h + u * {units}, "
        f"{symbol}_{name}_b[u], {symbol}_{name}_hb[u], {_pair(gate.multiplier)}, "
        f"{_pair(gate.recurrent_multiplier)});\n"
        for name, gate in zip(_GATES, op.gates, strict=True)
    )
    text += "int32_t kept = fx16_clamp(fx16_round(fx16_logistic(forget) * c[u], 15));\n"
    text += f"int32_t fresh = fx16_round(fx16_logistic(input) * fx16_tanh(cell, 3), {30 - op.cell_shift});\n"
    text += "int32_t now = fx16_clamp(kept + fx16_clamp(fresh));\n"
    if op.clip:
        text += f"now = now > {op.clip} ? {op.clip} : now < {-op.clip} ? {-op.clip} : now;\n"
    text += "c[u] = (int16_t)now;\n"
    text += f"int32_t shown = fx16_logistic(output) * fx16_tanh(now, {15 - op.cell_shift});\n"
    text += f"int32_t q = ka_multiply(shown, {_pair(op.hidden)}) + ({op.hidden_zero_point});\n"
    return text + "y[u] = (int8_t)ka_clamp8(q, -128, 127);\n"


def _step(layout: Layout) -> int:
    """Elements from one step of a sequence to the next."""
    return layout.row if layout.width == 1 else layout.pixel


def _pair(multiplier: Multiplier) -> str:
    return f"{multiplier[0]}, {multiplier[1]}"


_HELPER = """
static int32_t lstm_gate(const ELEMENT *x, const int8_t *w, const int8_t *h, const int8_t *r, int32_t sum,
                         int32_t again, int32_t mult, int32_t shift, int32_t mult_h, int32_t shift_h)
{
    for (int i = 0; i < INPUTS; i++)
        sum += x[i] * w[i];
    for (int i = 0; i < UNITS; i++)
        again += h[i] * r[i];
    return fx16_clamp(fx16_clamp(ka_multiply(sum, mult, shift)) + ka_multiply(again, mult_h, shift_h));
}

"""


LSTM = Operator(
    op=Lstm,
    kind="lstm",
    compute=_compute,
    emit=_emit,
    work=_work,
    readers={"UNIDIRECTIONAL_SEQUENCE_LSTM": _read},
    limits="int8 with a 16-bit cell, batch 1; its states are kept from inference to inference, as TFLite keeps them",
)
