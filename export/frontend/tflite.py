"""Reads an int8 TFLite model into the graph."""

from __future__ import annotations

from export.errors import ModelFormatError, QuantizationError, UnsupportedModelError
from export.ir.graph import Graph
from export.ir.ops import Op
from export.ir.rewrite import prune
from export.operators.lookup import read_quantize
from export.operators.table import READERS
from export.reading.flatbuffer import RawModel, RawOperator, read_model
from export.reading.lowering import Lowering


def read_tflite(data: bytes) -> Graph:
    """The graph of a `.tflite` file, with batch 1.

    QUANTIZE at a float32 or uint8 input and DEQUANTIZE or QUANTIZE at such an output are peeled off: the
    graph's input and output are the int8 tensors behind them. Operators whose results are not used are
    dropped.

    Args:
        data: content of the file.

    Raises:
        ModelFormatError: no TFLite model, or a damaged one.
        UnsupportedModelError: an operator, a type, a shape or an attribute that cannot be lowered.
        QuantizationError: not a full-integer int8 model, or scales its kernels do not allow.
    """
    model = read_model(data)
    for ends, name in ((model.inputs, "input"), (model.outputs, "output")):
        if len(ends) != 1:
            raise UnsupportedModelError(
                f"expected a model of one {name}, got {len(ends)}; split or merge them"
            )
    operators = _live(model)
    state = Lowering(model)
    source = _input(state, operators)
    ops: list[Op] = []
    for operator in operators:
        if operator.name in ("QUANTIZE", "DEQUANTIZE"):
            lowered = _requantize(state, operator)
        elif operator.name in READERS:
            lowered = READERS[operator.name](state, operator)
        else:
            raise UnsupportedModelError(
                f"{operator} is not supported; expected one of {', '.join(sorted(READERS))}, QUANTIZE, "
                "DEQUANTIZE"
            )
        if lowered is not None:
            ops.append(lowered)
    output = state.place(model.outputs[0])
    if output is None:
        raise ModelFormatError("no operator writes the model's output; the file is damaged")
    return prune(Graph(tuple(state.tensors), tuple(ops), source, output))


def _live(model: RawModel) -> list[RawOperator]:
    """The operators the output depends on, in execution order."""
    needed, live = set(model.outputs), []
    for operator in reversed(model.operators):
        if needed.intersection(operator.outputs):
            needed.update(operator.inputs)
            live.append(operator)
    return live[::-1]


def _input(state: Lowering, operators: list[RawOperator]) -> int:
    """Makes the int8 input: the model's own, or what a QUANTIZE makes of a float32 or uint8 one."""
    index = state.raw.inputs[0]
    stored = state.raw.tensors[index]
    shape = tuple(1 if i == 0 and size == -1 else size for i, size in enumerate(stored.shape))
    if min(shape, default=1) < 1:
        raise UnsupportedModelError(
            f"the input has shape {stored.shape}: every dimension but the batch must be fixed; build the "
            "model with a given input shape"
        )
    if stored.dtype == "int8":
        return state.add_activation(index, shape, "the input")
    readers = [operator for operator in operators if index in operator.inputs]
    if stored.dtype not in ("float32", "uint8") or not readers or readers[0].name != "QUANTIZE":
        raise QuantizationError(
            f"the input is {stored.dtype}, expected int8, or float32 or uint8 followed by QUANTIZE; convert "
            "the model with full-integer quantization (representative data, TFLITE_BUILTINS_INT8)"
        )
    first = readers[0]
    state.arity(first, 1)
    result = state.add_activation(first.outputs[0], shape, str(first))
    if stored.dtype == "uint8":
        _check_shifted_by_128(state, first, index, result)
    return result


def _requantize(state: Lowering, op: RawOperator) -> Op | None:
    state.arity(op, 1)
    source, target = op.inputs[0], op.outputs[0]
    types = (state.raw.tensors[source].dtype, state.raw.tensors[target].dtype)
    if types == ("int8", "int8"):
        return read_quantize(state, op)
    if source == state.raw.inputs[0] and types[1] == "int8":
        _peel_input(state, op)
    elif target == state.raw.outputs[0] and types in (("int8", "float32"), ("int8", "uint8")):
        output = state.activation(op)
        if types[1] == "uint8":
            _check_shifted_by_128(state, op, target, output)
        state.alias(target, output)
    else:
        raise QuantizationError(
            f"{op} turns {types[0]} into {types[1]} inside the model; part of the network is not int8: "
            "convert it with full-integer quantization (representative data, TFLITE_BUILTINS_INT8)"
        )
    return None


def _peel_input(state: Lowering, op: RawOperator) -> None:
    """The first QUANTIZE of the input made its IR tensor already; further ones may only repeat it."""
    if state.place(op.outputs[0]) is not None:
        return
    stored = state.raw.tensors[op.outputs[0]]
    quantization = state.quantization(stored, str(op), per_tensor=True)
    first = state.tensors[0].quant
    if quantization != first:
        raise UnsupportedModelError(
            f"{op}: the input is quantized in two ways; expected one scale and zero point"
        )
    state.alias(op.outputs[0], 0)


def _check_shifted_by_128(state: Lowering, op: RawOperator, stored: int, index: int) -> None:
    """A uint8 end can be peeled off only if it is the int8 one plus 128."""
    outer, inner = state.raw.tensors[stored], state.tensors[index].quant
    if outer.scales != (inner.scale,) or outer.zero_points != (inner.zero_point + 128,):
        raise UnsupportedModelError(
            f"{op}: a uint8 input or output must have the int8 scale and the zero point plus 128, got "
            f"scales {outer.scales[:1]} and {inner.scale:g}, zero points {outer.zero_points[:1]} and "
            f"{inner.zero_point}; convert the model with int8 inputs and outputs"
        )
