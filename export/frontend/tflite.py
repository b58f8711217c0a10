"""Reads an int8 TFLite model into the graph."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from export.errors import ExportError, ModelFormatError, QuantizationError, UnsupportedModelError
from export.ir.graph import Graph
from export.ir.ops import Op
from export.ir.rewrite import prune
from export.ir.tensor import Quantization
from export.operators.elementwise.lookup import read_quantize
from export.operators.table import READERS
from export.reading.dilation import JOIN, SPLIT, fold_dilations
from export.reading.flatbuffer import RawGraph, RawOperator, read_model
from export.reading.lowering import BlockedError, Lowering

_NUMBERED = re.compile(r"(input|output)_\d+")  # as converters do for those without a name
_SHOWN = 12  # problems that a message lists
_WITH_STATE = ("CALL_ONCE", "ASSIGN_VARIABLE")
_FULL_INTEGER = "convert the model with full-integer quantization (representative data, TFLITE_BUILTINS_INT8)"


def read_tflite(data: bytes) -> Graph:
    """The graph of a `.tflite` file, with batch 1.

    QUANTIZE at a float32 or uint8 input and DEQUANTIZE or QUANTIZE at such an output are peeled off: the
    graph's inputs and outputs are the int8 tensors behind them. A uint8 tensor is the int8 one whose values are 128
    less. Operators whose results are not used are dropped.

    Args:
        data: Content of the file.

    Raises:
        ModelFormatError: No TFLite model, or a damaged one.
        UnsupportedModelError: Operators, types, shapes or attributes that cannot be lowered: all of them are listed.
        QuantizationError: Not a full-integer int8 model, or scales its kernels do not allow.
    """
    subgraphs = read_model(data)
    model = subgraphs[0]
    operators = fold_dilations(model, _live(model))
    state = Lowering(subgraphs)
    blockers: list[ExportError] = []
    inputs = [_input(state, operators, index) for index in model.inputs]
    ops: list[Op] = []
    for operator in operators:
        try:
            ops += _lowered(state, operator)
        except BlockedError:
            state.assume(operator)
        except (UnsupportedModelError, QuantizationError) as error:
            blockers.append(_named(operator, error))
            state.assume(operator)
    if blockers:
        raise _joined(blockers)
    outputs = [state.place(index) for index in model.outputs]
    found = [output for output in outputs if output is not None]
    for number, index in enumerate(model.outputs):
        if model.tensors[index].data is not None:
            raise UnsupportedModelError(f"output {number} of the model is a constant; leave it out")
    if len(found) != len(outputs) or not found:
        raise ModelFormatError("no operator writes one of the model's outputs; the file is damaged")
    _check_dependence(ops, (*inputs, *(kept.read for kept in state.states)), found)
    _name_ends(state, model.outputs, found)
    _name_ends(state, model.inputs, inputs)
    values = state.variables.values
    names = {tensor: name for name, tensor in state.variables.read.items()}
    states = [
        replace(kept, written=values[names[kept.read]]) if kept.read in names else kept
        for kept in state.states
    ]
    return prune(Graph(tuple(state.tensors), tuple(ops), tuple(inputs), tuple(found), tuple(states)))


def _check_dependence(ops: Sequence[Op], sources: Sequence[int], outputs: Sequence[int]) -> None:
    """Demands that every output depends on an input or a state: one that does not is a constant, and no network."""
    reached = set(sources)
    for op in ops:
        if reached.intersection(op.inputs):
            reached.add(op.output)
    for number, output in enumerate(outputs):
        if output not in reached:
            raise UnsupportedModelError(
                f"output {number} of the model does not depend on its inputs; remove it, or convert the model again"
            )


def _name_ends(state: Lowering, stored: Sequence[int], ends: Sequence[int]) -> None:
    """Several inputs or outputs are called what the file's signature calls them, unless it only numbers them."""
    if len(set(ends)) < 2:
        return
    for index, end in zip(stored, ends, strict=True):
        name = state.raw.end_names.get(index, "")
        if name and not _NUMBERED.fullmatch(name):
            state.tensors[end] = replace(state.tensors[end], name=name)


def _named(op: RawOperator, error: ExportError) -> ExportError:
    """The error with the operator in its message, which arithmetic knows nothing of."""
    text = str(error)
    return error if text.startswith(str(op)) else type(error)(f"{op}: {text}")


def _joined(blockers: Sequence[ExportError]) -> ExportError:
    """One error for everything that is not supported."""
    if len(blockers) == 1:
        return blockers[0]
    unsupported = any(isinstance(error, UnsupportedModelError) for error in blockers)
    lines = [f"  {error}" for error in blockers[:_SHOWN]]
    if len(blockers) > _SHOWN:
        lines.append(f"  and {len(blockers) - _SHOWN} more")
    text = f"{len(blockers)} things in the model are in the way:\n" + "\n".join(lines)
    return UnsupportedModelError(text) if unsupported else QuantizationError(text)


def _live(model: RawGraph) -> list[RawOperator]:
    """The operators that outputs and states depend on, in execution order."""
    needed, live = set(model.outputs), []
    for operator in reversed(model.operators):
        if needed.intersection(operator.outputs) or operator.name in _WITH_STATE:
            needed.update(operator.inputs)
            live.append(operator)
    return live[::-1]


def _lowered(state: Lowering, op: RawOperator) -> Iterable[Op]:
    if op.name in ("QUANTIZE", "DEQUANTIZE"):
        lowered: Op | Iterable[Op] | None = _requantize(state, op)
    elif (dtype := _foreign_type(state, op)) is not None:
        raise QuantizationError(f"{op} computes in {dtype}; {_FULL_INTEGER}")
    elif op.name in READERS:
        lowered = READERS[op.name](state, op)
    else:
        if op.name in (SPLIT, JOIN):
            raise UnsupportedModelError(
                f"{op} is supported only around one convolution, as converters write dilation; convert with a "
                "fixed batch size of 1"
            )
        raise UnsupportedModelError(
            f"{op} is not supported; expected one of {', '.join(sorted((*READERS, 'DEQUANTIZE')))}"
        )
    if lowered is None:
        return ()
    return (lowered,) if isinstance(lowered, Op) else lowered


def _foreign_type(state: Lowering, op: RawOperator) -> str | None:
    """The type of an activation that is none of the int8 network."""
    tensors = [state.raw.tensors[index] for index in (*op.inputs, *op.outputs) if index >= 0]
    found = [tensor.dtype for tensor in tensors if tensor.data is None]
    return next((dtype for dtype in found if dtype in ("float32", "float16", "uint8")), None)


def _input(state: Lowering, operators: Sequence[RawOperator], index: int) -> int:
    """Makes an int8 input: the model's own, a uint8 one less 128, or what a QUANTIZE makes of a float32 one."""
    stored = state.raw.tensors[index]
    shape = tuple(1 if i == 0 and size == -1 else size for i, size in enumerate(stored.shape))
    if min(shape, default=1) < 1:
        raise UnsupportedModelError(
            f"the input has shape {stored.shape}: every dimension but the batch must be fixed; build the "
            "model with a given input shape"
        )
    if stored.dtype in ("int8", "uint8"):
        return state.add_activation(index, shape, "the input")
    readers = [operator for operator in operators if index in operator.inputs]
    if stored.dtype != "float32" or not readers or readers[0].name != "QUANTIZE":
        raise QuantizationError(
            f"the input is {stored.dtype}, expected int8, or float32 or uint8 followed by QUANTIZE; {_FULL_INTEGER}"
        )
    first = readers[0]
    state.arity(first, 1)
    return state.add_activation(first.outputs[0], shape, str(first))


def _requantize(state: Lowering, op: RawOperator) -> Op | None:
    state.arity(op, 1)
    source, target = op.inputs[0], op.outputs[0]
    before, after = (state.raw.tensors[index].dtype for index in (source, target))
    if {before, after} <= {"int8", "uint8"}:
        return _between_integers(state, op)
    if source in state.raw.inputs and before == "float32":
        _peel_input(state, op)
    elif target in state.raw.outputs and after == "float32":
        state.alias(target, state.activation(op))
    elif before == "float32" and state.is_unknown(source):
        raise BlockedError  # what computed in float is named already
    elif after == "float32" and any(target in reader.inputs for reader in state.raw.operators):
        state.forget(target)  # what computes with it is named
    else:
        raise QuantizationError(
            f"{op} turns {before} into {after} inside the model; part of the network is not int8: {_FULL_INTEGER}"
        )
    return None


def _between_integers(state: Lowering, op: RawOperator) -> Op | None:
    """Nothing is computed where int8 and uint8 stand for the same reals by the same scale."""
    source = state.activation(op)
    target = state.raw.tensors[op.outputs[0]]
    wanted = state.quantization(target, str(op), per_tensor=True)
    own = state.tensors[source].quant
    shell = "uint8" in (target.dtype, state.raw.tensors[op.inputs[0]].dtype)
    if shell and _same(own, wanted):
        state.alias(op.outputs[0], source)
        return None
    return read_quantize(state, op)


def _same(a: Quantization, b: Quantization) -> bool:
    return (a.scales, a.zero_points) == (b.scales, b.zero_points)


def _peel_input(state: Lowering, op: RawOperator) -> None:
    """The first QUANTIZE of an input made its IR tensor already; further ones may only repeat it."""
    if state.place(op.outputs[0]) is not None:
        return
    stored = state.raw.tensors[op.outputs[0]]
    quantization = state.quantization(stored, str(op), per_tensor=True)
    made = [
        tensor for other in state.raw.operators if op.inputs[0] in other.inputs for tensor in other.outputs
    ]
    first = next(place for tensor in made if (place := state.place(tensor)) is not None)
    if quantization != state.tensors[first].quant:
        raise UnsupportedModelError(
            f"{op}: the input is quantized in two ways; expected one scale and zero point"
        )
    state.alias(op.outputs[0], first)
