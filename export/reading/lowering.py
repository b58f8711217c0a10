"""The state of one lowering: which stored tensors became which IR tensors, each claim of the file checked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.errors import ExportError, ModelFormatError, QuantizationError, UnsupportedModelError
from export.ir.graph import State
from export.ir.tensor import Quantization, Tensor
from export.reading.flatbuffer import RawGraph, RawOperator, RawTensor
from keras_approx.text import plural

MAX_ELEMENTS = 1 << 24  # of an activation: more than the RAM of any microcontroller, and little to analyze
MAX_TOTAL = 1 << 26  # of all activations together
MAX_RANK = 8
_MAX_SHARING = 64  # operators that may use one constant, on average
_NUMPY = {
    "int8": np.int8,
    "uint8": np.uint8,
    "int16": np.int16,
    "int32": np.int32,
    "int64": np.int64,
    "float32": np.float32,
}


@dataclass
class Variables:
    """Resource variables of the network.

    Attributes:
        names: By the stored tensor of a handle, which variable it is.
        initial: By variable, what an initializing subgraph assigns.
        read: By variable, the IR tensor that holds its value when an inference starts.
        values: By variable, the IR tensor that holds its value by now.
    """

    names: dict[int, str] = field(default_factory=dict)
    initial: dict[str, NDArray[np.int8]] = field(default_factory=dict)
    read: dict[str, int] = field(default_factory=dict)
    values: dict[str, int] = field(default_factory=dict)


class BlockedError(Exception):
    """An operator reads the output of an unsupported one, which was reported already."""


class Lowering:
    """Grows the IR tensors while operators are lowered in execution order.

    Activations of the graph have a leading dimension of 1. One that the file stores without is lowered with one more
    dimension; `shape` gives the stored one.

    Attributes:
        raw: The stored subgraph.
        subgraphs: All of the file, which operators call by number.
        tensors: The IR tensors made so far.
        known: Integers of stored tensors known by now, which are constants or computed from shapes.
        states: What is kept from one inference to the next.
        variables: The network's resource variables.
    """

    def __init__(self, subgraphs: Sequence[RawGraph]) -> None:
        self.raw, self.subgraphs = subgraphs[0], tuple(subgraphs)
        self.tensors: list[Tensor] = []
        self.known: dict[int, NDArray[np.int64]] = {}
        self.states: list[State] = []
        self.variables = Variables()
        self._places: dict[int, int] = {}
        self._shapes: dict[int, tuple[int, ...]] = {}
        self._unknown: set[int] = set()
        stored = sum(len(t.data) for graph in subgraphs for t in graph.tensors if t.data is not None)
        self._activation_elements = 0
        self._constant_bytes = _MAX_SHARING * stored

    def arity(self, op: RawOperator, *inputs: int) -> None:
        """Demands one of the given numbers of inputs, and one output."""
        if len(op.inputs) not in inputs or len(op.outputs) != 1:
            wanted = " or ".join(map(str, inputs))
            raise ModelFormatError(
                f"{op}: expected {wanted} input{'' if inputs == (1,) else 's'} and 1 output, got {len(op.inputs)} and "
                f"{len(op.outputs)}; the file is damaged"
            )

    def option(self, op: RawOperator, options_type: str, name: str) -> Any:
        if op.options_type != options_type or name not in op.options:
            raise ModelFormatError(
                f"{op}: expected {options_type}, got {op.options_type or 'none'}; the file is damaged"
            )
        return op.options[name]

    def count(self, op: RawOperator, options_type: str, name: str, found: int) -> None:
        """Demands that an operator has as many inputs or outputs as its options say."""
        told = self.option(op, options_type, name)
        if told != found:
            raise ModelFormatError(f"{op}: it has {found} parts, its options say {told}; the file is damaged")

    def stored(self, op: RawOperator, position: int) -> RawTensor:
        index = op.inputs[position] if position < len(op.inputs) else -1
        if index < 0:
            raise ModelFormatError(f"{op}: input {position} is missing; the file is damaged")
        return self.raw.tensors[index]

    def shape(self, index: int) -> tuple[int, ...]:
        """The shape of an IR activation or operand as the file has it."""
        return self._shapes[index]

    def operand(self, op: RawOperator, position: int = 0) -> int:
        """IR index of an int8 activation or constant the operator reads."""
        tensor = self.stored(op, position)
        if tensor.data is None:
            return self.activation(op, position)
        quantization = self.quantization(tensor, str(op), per_tensor=True)
        index = self.constant(op, position, "int8", quantization)
        self.tensors[index] = _with_batch(self.tensors[index])
        self._shapes[index] = tensor.shape
        return index

    def activation(self, op: RawOperator, position: int = 0) -> int:
        """IR index of an int8 activation the operator reads."""
        tensor = self.stored(op, position)
        index = op.inputs[position]
        if index in self._places:
            return self._places[index]
        if index in self._unknown:
            raise BlockedError
        if tensor.data is not None:
            raise UnsupportedModelError(
                f"{op}: input {position} ({tensor.name[:60]!r}) is a constant, expected an "
                "activation; fold the operator, as converters do"
            )
        if tensor.dtype != "int8":
            raise QuantizationError(
                f"{op} reads {tensor.dtype} activations ({tensor.name[:60]!r}), expected int8; convert the "
                "model with full-integer quantization (representative data, TFLITE_BUILTINS_INT8)"
            )
        raise ModelFormatError(f"{op}: input {position} is read before it is written; the file is damaged")

    def image(self, op: RawOperator) -> tuple[int, Tensor]:
        """IR index and tensor of input 0, which must be NHWC."""
        index = self.activation(op)
        shape = self._shapes[index]
        if len(shape) != 4 or shape[0] != 1:
            raise UnsupportedModelError(f"{op}: expected an NHWC input of batch 1, got shape {shape}")
        return index, self.tensors[index]

    def define(self, op: RawOperator, shape: tuple[int, ...], number: int = 0) -> int:
        """Makes the int8 activation that the operator writes; its shape is computed, not read."""
        return self.add_activation(op.outputs[number], shape, str(op))

    def temporary(self, op: RawOperator, like: int, shape: tuple[int, ...]) -> int:
        """Makes an int8 activation between two operators of one stored operator, quantized like another one."""
        check_size(str(op), shape)
        first = self.tensors[like]
        self.tensors.append(_with_batch(Tensor(first.name, shape, "int8", first.quantization)))
        self._shapes[len(self.tensors) - 1] = shape
        return len(self.tensors) - 1

    def assume(self, op: RawOperator) -> None:
        """Continues after an unsupported operator, with the shapes that the file claims for its outputs."""
        for index in op.outputs:
            if index not in self._places:
                try:
                    self.add_activation(index, self.raw.tensors[index].shape, str(op))
                except ExportError:
                    self._unknown.add(index)

    def is_unknown(self, index: int) -> bool:
        return index in self._unknown

    def forget(self, index: int) -> None:
        """Continues without a stored tensor."""
        self._unknown.add(index)

    def add_activation(self, stored: int, shape: tuple[int, ...], where: str) -> int:
        tensor = self.raw.tensors[stored]
        if stored in self._places or tensor.data is not None:
            raise ModelFormatError(f"{where} writes a tensor that has a value already; the file is damaged")
        if tensor.dtype not in ("int8", "uint8"):
            raise QuantizationError(
                f"{where} writes {tensor.dtype} activations ({tensor.name[:60]!r}), expected int8; convert "
                "the model with full-integer quantization (representative data, TFLITE_BUILTINS_INT8)"
            )
        check_size(where, shape)
        if len(shape) > MAX_RANK:
            raise UnsupportedModelError(
                f"{where}: expected an activation of at most {MAX_RANK} dimensions, got shape {shape}"
            )
        self._activation_elements += math.prod(shape)
        if self._activation_elements > MAX_TOTAL:
            raise UnsupportedModelError(
                f"{where}: the activations up to here have {self._activation_elements:,} elements together; at most "
                f"{MAX_TOTAL:,} are supported"
            )
        quantization = self.quantization(tensor, where, per_tensor=True)
        self.tensors.append(_with_batch(Tensor(tensor.name, shape, "int8", quantization)))
        self._places[stored] = len(self.tensors) - 1
        self._shapes[len(self.tensors) - 1] = shape
        return len(self.tensors) - 1

    def add_indices(self, op: RawOperator, shape: tuple[int, ...]) -> int:
        """Makes an activation of int32 numbers, which only an output of the network can be."""
        tensor = self.raw.tensors[op.outputs[0]]
        if op.outputs[0] in self._places or tensor.dtype not in ("int32", "int64"):
            raise ModelFormatError(f"{op} writes {tensor.dtype} indices, or twice; the file is damaged")
        self.tensors.append(_with_batch(Tensor(tensor.name, shape, "int32")))
        self._places[op.outputs[0]] = len(self.tensors) - 1
        self._shapes[len(self.tensors) - 1] = shape
        return len(self.tensors) - 1

    def add_state(self, name: str, initial: NDArray[Any], quantization: Quantization | None) -> int:
        """Makes the activation that holds a state during an inference; its operator updates it in place."""
        tensor = _with_batch(Tensor(name, initial.shape, str(initial.dtype), quantization))
        self.tensors.append(tensor)
        index = len(self.tensors) - 1
        self._shapes[index] = initial.shape
        self.states.append(State(index, None, initial.reshape(tensor.shape)))
        return index

    def alias(self, stored: int, index: int) -> None:
        """Makes a stored tensor another name for an existing IR tensor."""
        if stored in self._places:
            raise ModelFormatError("a tensor is written twice; the file is damaged")
        self._places[stored] = index

    def place(self, stored: int) -> int | None:
        """The IR tensor a stored tensor became, if any."""
        return self._places.get(stored)

    def is_integer(self, op: RawOperator, position: int) -> bool:
        """Whether an input holds known integers: stored, or computed from shapes."""
        if op.inputs[position] in self._unknown:
            raise BlockedError
        return self.is_constant(op, position) and self.stored(op, position).dtype in ("int32", "int64")

    def is_constant(self, op: RawOperator, position: int) -> bool:
        """Whether an input's values are known: stored, or computed from shapes."""
        return op.inputs[position] in self.known or self.stored(op, position).data is not None

    def values(self, tensor: RawTensor, where: str) -> NDArray[Any]:
        """The values of a constant, in its shape."""
        if tensor.data is None:
            raise UnsupportedModelError(
                f"{where}: {tensor.name[:60]!r} must be a constant; convert the model with fixed values"
            )
        if tensor.sparse or tensor.dtype not in _NUMPY:
            kind = "sparse" if tensor.sparse else tensor.dtype
            raise UnsupportedModelError(f"{where}: a {kind} constant ({tensor.name[:60]!r}) is not supported")
        dtype = np.dtype(_NUMPY[tensor.dtype]).newbyteorder("<")
        if min(tensor.shape, default=1) < 0 or math.prod(tensor.shape) * dtype.itemsize != len(tensor.data):
            raise ModelFormatError(
                f"{where}: constant {tensor.name[:60]!r} of shape {tensor.shape} has {len(tensor.data)} "
                "bytes; the file is damaged"
            )
        return tensor.data.view(dtype).astype(_NUMPY[tensor.dtype], copy=False).reshape(tensor.shape)

    def integers(self, op: RawOperator, position: int) -> NDArray[np.int64]:
        """Integers an operator takes as an input: axes, paddings, shapes."""
        tensor = self.stored(op, position)
        index = op.inputs[position]
        if index in self._unknown:
            raise BlockedError
        if index not in self.known:
            values = self.values(tensor, str(op))
            if tensor.dtype not in ("int32", "int64"):
                raise ModelFormatError(f"{op}: input {position} must hold integers, got {tensor.dtype}")
            self.known[index] = values.astype(np.int64)
        return self.known[index]

    def integer(self, op: RawOperator, position: int) -> int:
        """The one integer that an operator takes as an input: an axis."""
        values = self.integers(op, position)
        if values.size != 1:
            raise ModelFormatError(
                f"{op}: input {position} must be one integer, got {values.size}; the file is damaged"
            )
        return int(values.reshape(()))

    def constant(self, op: RawOperator, position: int, dtype: str, quantization: Quantization | None) -> int:
        """Makes the IR tensor of a constant, which belongs to this operator alone."""
        tensor = self.stored(op, position)
        if tensor.dtype != dtype:
            raise QuantizationError(
                f"{op}: input {position} ({tensor.name[:60]!r}) must be {dtype}, got {tensor.dtype}; "
                "convert the model with full-integer quantization"
            )
        values = self.values(tensor, str(op))
        self._constant_bytes -= values.nbytes
        if self._constant_bytes < 0:
            raise UnsupportedModelError(
                f"{op}: more than {_MAX_SHARING} operators share their constants; the network has too many layers "
                "for the constants that it stores"
            )
        self.tensors.append(Tensor(tensor.name, tensor.shape, dtype, quantization, values))
        return len(self.tensors) - 1

    def quantization(self, tensor: RawTensor, where: str, *, per_tensor: bool) -> Quantization:
        """A tensor's checked scales and zero points; those of uint8 are less 128, as the int8 tensor has them."""
        scales, zero_points = tensor.scales, tensor.zero_points
        if tensor.dtype == "uint8":
            zero_points = tuple(zero_point - 128 for zero_point in zero_points)
        if not scales or len(scales) != len(zero_points) or (per_tensor and len(scales) != 1):
            raise QuantizationError(
                f"{where}: tensor {tensor.name[:60]!r} has {plural(len(scales), 'scale')} and "
                f"{plural(len(zero_points), 'zero point')}, expected {'1' if per_tensor else 'as many of each'}; "
                "quantize the model to int8"
            )
        tiny = float(np.finfo(np.float32).tiny)
        if not all(math.isfinite(s) and s >= tiny for s in scales) or not all(
            -128 <= z <= 127 for z in zero_points
        ):
            raise QuantizationError(
                f"{where}: tensor {tensor.name[:60]!r} has a scale that is not a positive number or a zero "
                "point outside int8; quantize the model again"
            )
        return Quantization(scales, zero_points, tensor.axis if len(scales) > 1 else None)

    def same_quantization(self, op: RawOperator, *indices: int) -> None:
        first = self.tensors[indices[0]].quant
        for index in indices[1:]:
            other = self.tensors[index].quant
            if (first.scales, first.zero_points) != (other.scales, other.zero_points):
                raise QuantizationError(
                    f"{op}: inputs and output must share one scale and zero point, got "
                    f"{first.scale:g}, {first.zero_point} and {other.scale:g}, {other.zero_point}; quantize the model "
                    "again"
                )


def check_size(where: str, shape: Sequence[int]) -> None:
    """Demands that an array has elements, and no more than any microcontroller could hold: before it is made.

    Raises:
        UnsupportedModelError: Of another size.
    """
    if min(shape, default=1) < 1 or math.prod(shape) > MAX_ELEMENTS:
        raise UnsupportedModelError(
            f"{where}: expected an array of 1 to {MAX_ELEMENTS:,} elements, got shape {tuple(shape)}; make the layer "
            "smaller"
        )


def _with_batch(tensor: Tensor) -> Tensor:
    """The tensor with a leading dimension of 1 and one more at least, values included."""
    if tensor.shape[:1] == (1,) and len(tensor.shape) > 1:
        return tensor
    shape = (1, *(tensor.shape or (1,)))
    return replace(tensor, shape=shape, data=None if tensor.data is None else tensor.data.reshape(shape))
