"""Writes int8 TFLite models operator by operator, with every scale, zero point and weight given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

ACTIVATIONS = {"none": 0, "relu": 1, "relu_n1_to_1": 2, "relu6": 3}
_TYPES = {
    "int8": schema.TensorType.INT8,
    "uint8": schema.TensorType.UINT8,
    "int16": schema.TensorType.INT16,
    "int32": schema.TensorType.INT32,
    "int64": schema.TensorType.INT64,
    "float32": schema.TensorType.FLOAT32,
    "resource": schema.TensorType.RESOURCE,
}


# Of operators that had other versions before they had int8 kernels.
_VERSIONS = {schema.BuiltinOperator.BROADCAST_TO: 2, schema.BuiltinOperator.TRANSPOSE_CONV: 3}


@dataclass(frozen=True)
class Value:
    """A tensor of the model being built."""

    index: int
    shape: tuple[int, ...]
    scale: float = 1.0
    zero_point: int = 0


def _set_window(options: Any, stride: tuple[int, int], padding: str, activation: str | None = None) -> None:
    """Sets the options that convolutions and pools share."""
    options.strideH, options.strideW = stride
    options.padding = 0 if padding == "SAME" else 1
    if activation is not None:
        options.fusedActivationFunction = ACTIVATIONS[activation]


def _windows(x: Value, kernel: Sequence[int], stride: Sequence[int], padding: str) -> list[int]:
    """How many windows there are in height and width."""
    sizes = zip(x.shape[1:3], kernel, stride, strict=True)
    if padding == "SAME":
        return [-(-extent // step) for extent, _, step in sizes]
    return [(extent - taps) // step + 1 for extent, taps, step in sizes]


class ModelBuilder:
    """Collects tensors and operators of one subgraph; `finish` returns the bytes."""

    def __init__(self) -> None:
        self._tensors: list[Any] = []
        self._buffers: list[Any] = [schema.BufferT()]
        self._operators: list[Any] = []
        self._others: list[Any] = []
        self._codes: dict[int, int] = {}

    def tensor(
        self,
        shape: Sequence[int],
        scale: float | Sequence[float] = 1.0,
        zero_point: int = 0,
        *,
        dtype: str = "int8",
        data: NDArray[Any] | None = None,
        axis: int = 0,
        name: str | None = None,
        variable: bool = False,
    ) -> Value:
        """Adds a tensor; with `data` a constant. Several scales quantize per index of `axis`."""
        tensor = schema.TensorT()
        tensor.name = name if name is not None else f"t{len(self._tensors)}"
        tensor.shape = np.asarray(shape, np.int32)
        tensor.type = _TYPES[dtype]
        tensor.isVariable = variable
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data, dtype).tobytes(), np.uint8)
            tensor.buffer = len(self._buffers)
            self._buffers.append(buffer)
        scales = [scale] if np.isscalar(scale) else list(scale)
        if dtype in ("int8", "uint8", "int16") or (dtype == "int32" and scale != 1.0):
            quantization = schema.QuantizationParametersT()
            quantization.scale = np.asarray(scales, np.float32)
            quantization.zeroPoint = np.full(len(scales), zero_point, np.int64)
            quantization.quantizedDimension = axis
            tensor.quantization = quantization
        self._tensors.append(tensor)
        return Value(len(self._tensors) - 1, tuple(shape), float(np.float32(scales[0])), zero_point)

    def operator(
        self,
        name: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        options: Any = None,
        intermediates: Sequence[int] = (),
    ) -> None:
        """Adds an operator by its BuiltinOperator name, with a `...OptionsT` object."""
        code = getattr(schema.BuiltinOperator, name)
        operator = schema.OperatorT()
        operator.opcodeIndex = self._codes.setdefault(code, len(self._codes))
        operator.inputs = np.asarray(inputs, np.int32)
        operator.outputs = np.asarray(outputs, np.int32)
        if options is not None:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__[:-1])
            operator.builtinOptions = options
        if len(intermediates):
            operator.intermediates = np.asarray(intermediates, np.int32)
        self._operators.append(operator)

    def initialized(self, initial: Mapping[str, NDArray[np.int8]], scale: float, zero_point: int) -> None:
        """Adds CALL_ONCE of a subgraph that gives variables their first values."""
        main, self._tensors, self._operators = (self._tensors, self._operators), [], []
        for name, values in initial.items():
            constant = self.tensor(values.shape, scale, zero_point, data=values)
            self.operator("ASSIGN_VARIABLE", [self.handle(name).index, constant.index], [])
        subgraph = schema.SubGraphT()
        subgraph.name, subgraph.tensors, subgraph.operators = "initialize", self._tensors, self._operators
        subgraph.inputs, subgraph.outputs = [], []
        self._others.append(subgraph)
        self._tensors, self._operators = main
        options = schema.CallOnceOptionsT()
        options.initSubgraphIndex = len(self._others)
        self.operator("CALL_ONCE", [], [], options)

    def handle(self, name: str) -> Value:
        """VAR_HANDLE of a variable."""
        options = schema.VarHandleOptionsT()
        options.container, options.sharedName = "", name
        out = self.tensor((), dtype="resource")
        self.operator("VAR_HANDLE", [], [out.index], options)
        return out

    def conv(
        self,
        x: Value,
        weights: NDArray[np.int8],
        bias: NDArray[np.int32] | None,
        *,
        weight_scales: Sequence[float],
        scale: float,
        zero_point: int,
        stride: tuple[int, int] = (1, 1),
        dilation: tuple[int, int] = (1, 1),
        padding: str = "SAME",
        activation: str = "none",
        multiplier: int | None = None,
    ) -> Value:
        """CONV_2D, or DEPTHWISE_CONV_2D when a depth `multiplier` is given; weights in TFLite's order."""
        depthwise = multiplier is not None
        options = schema.DepthwiseConv2DOptionsT() if depthwise else schema.Conv2DOptionsT()
        if depthwise:
            options.depthMultiplier = multiplier
        _set_window(options, stride, padding, activation)
        options.dilationHFactor, options.dilationWFactor = dilation
        w = self.tensor(weights.shape, weight_scales, data=weights, axis=3 if depthwise else 0)
        inputs = [x.index, w.index]
        if bias is not None:
            inputs.append(self._bias(bias, x.scale, weight_scales).index)
        extent = [(weights.shape[1 + i] - 1) * dilation[i] + 1 for i in range(2)]
        spatial = _windows(x, extent, stride, padding)
        out = self.tensor((1, *spatial, weights.shape[3 if depthwise else 0]), scale, zero_point)
        self.operator("DEPTHWISE_CONV_2D" if depthwise else "CONV_2D", inputs, [out.index], options)
        return out

    def dense(
        self,
        x: Value,
        weights: NDArray[np.int8],
        bias: NDArray[np.int32] | None,
        *,
        weight_scales: Sequence[float],
        scale: float,
        zero_point: int,
        activation: str = "none",
        shape: Sequence[int] | None = None,
        keep: bool = False,
    ) -> Value:
        """FULLY_CONNECTED with weights [out, in]; `shape` is the output's."""
        options = schema.FullyConnectedOptionsT()
        options.keepNumDims = keep
        options.fusedActivationFunction = ACTIVATIONS[activation]
        w = self.tensor(weights.shape, weight_scales, data=weights)
        b = -1 if bias is None else self._bias(bias, x.scale, weight_scales).index
        out = self.tensor(shape or (1, weights.shape[0]), scale, zero_point)
        self.operator("FULLY_CONNECTED", [x.index, w.index, b], [out.index], options)
        return out

    def transposed(
        self,
        x: Value,
        weights: NDArray[np.int8],
        bias: NDArray[np.int32],
        *,
        weight_scales: Sequence[float],
        scale: float,
        zero_point: int,
        stride: tuple[int, int],
        padding: str,
    ) -> Value:
        """TRANSPOSE_CONV with weights [out, kernel y, kernel x, in]."""
        options = schema.TransposeConvOptionsT()
        _set_window(options, stride, padding)
        beyond = [0 if padding == "SAME" else max(0, weights.shape[1 + i] - stride[i]) for i in range(2)]
        spatial = [x.shape[1 + i] * stride[i] + beyond[i] for i in range(2)]
        shape = (1, *spatial, weights.shape[0])
        wanted = self.tensor((4,), dtype="int32", data=np.array(shape, np.int32))
        w = self.tensor(weights.shape, weight_scales, data=weights)
        b = self._bias(bias, x.scale, weight_scales)
        out = self.tensor(shape, scale, zero_point)
        self.operator("TRANSPOSE_CONV", [wanted.index, w.index, x.index, b.index], [out.index], options)
        return out

    def _bias(self, bias: NDArray[np.int32], input_scale: float, weight_scales: Sequence[float]) -> Value:
        scales = [float(np.float32(input_scale) * np.float32(s)) for s in weight_scales]
        return self.tensor(bias.shape, scales, dtype="int32", data=bias)

    def pool(
        self,
        kind: str,
        x: Value,
        kernel: tuple[int, int],
        stride: tuple[int, int],
        *,
        padding: str = "VALID",
        activation: str = "none",
    ) -> Value:
        """MAX_POOL_2D (`kind` "max") or AVERAGE_POOL_2D ("average")."""
        options = schema.Pool2DOptionsT()
        options.filterHeight, options.filterWidth = kernel
        _set_window(options, stride, padding, activation)
        out = self.tensor((1, *_windows(x, kernel, stride, padding), x.shape[3]), x.scale, x.zero_point)
        self.operator(
            {"max": "MAX_POOL_2D", "average": "AVERAGE_POOL_2D"}[kind], [x.index], [out.index], options
        )
        return out

    def add(self, x: Value, y: Value, scale: float, zero_point: int, *, activation: str = "none") -> Value:
        options = schema.AddOptionsT()
        options.fusedActivationFunction = ACTIVATIONS[activation]
        out = self.tensor(x.shape, scale, zero_point)
        self.operator("ADD", [x.index, y.index], [out.index], options)
        return out

    def concatenation(self, values: Sequence[Value], axis: int = 3) -> Value:
        options = schema.ConcatenationOptionsT()
        options.axis = axis
        shape = list(values[0].shape)
        shape[axis] = sum(v.shape[axis] for v in values)
        out = self.tensor(shape, values[0].scale, values[0].zero_point)
        self.operator("CONCATENATION", [v.index for v in values], [out.index], options)
        return out

    def mean(self, x: Value, scale: float, zero_point: int, *, keep_dims: bool = False) -> Value:
        options = schema.ReducerOptionsT()
        options.keepDims = keep_dims
        axes = self.tensor((2,), dtype="int32", data=np.array([1, 2], np.int32))
        out = self.tensor((1, 1, 1, x.shape[3]) if keep_dims else (1, x.shape[3]), scale, zero_point)
        self.operator("MEAN", [x.index, axes.index], [out.index], options)
        return out

    def pad(self, x: Value, padding: tuple[tuple[int, int], tuple[int, int]]) -> Value:
        rows = np.array([(0, 0), *padding, (0, 0)], np.int32)
        amounts = self.tensor((4, 2), dtype="int32", data=rows)
        shape = [size + before + after for size, (before, after) in zip(x.shape, rows.tolist(), strict=True)]
        out = self.tensor(shape, x.scale, x.zero_point)
        self.operator("PAD", [x.index, amounts.index], [out.index], schema.PadOptionsT())
        return out

    def reshape(self, x: Value, shape: Sequence[int]) -> Value:
        options = schema.ReshapeOptionsT()
        options.newShape = list(shape)
        amounts = self.tensor((len(shape),), dtype="int32", data=np.asarray(shape, np.int32))
        out = self.tensor(shape, x.scale, x.zero_point)
        self.operator("RESHAPE", [x.index, amounts.index], [out.index], options)
        return out

    def reshape_keeping_batch(self, x: Value, shape: Sequence[int]) -> Value:
        """RESHAPE to [batch, *shape], the batch size computed by SHAPE, STRIDED_SLICE and PACK."""
        whole = self.tensor((len(x.shape),), dtype="int32")
        shape_options = schema.ShapeOptionsT()
        shape_options.outType = schema.TensorType.INT32
        self.operator("SHAPE", [x.index], [whole.index], shape_options)
        begin, end, step = (self.tensor((1,), dtype="int32", data=np.array([i], np.int32)) for i in (0, 1, 1))
        options = schema.StridedSliceOptionsT()
        options.shrinkAxisMask = 1
        batch = self.tensor((), dtype="int32")
        inputs = [whole.index, begin.index, end.index, step.index]
        self.operator("STRIDED_SLICE", inputs, [batch.index], options)
        sizes = [self.tensor((), dtype="int32", data=np.array(size, np.int32)) for size in shape]
        packing = schema.PackOptionsT()
        packing.valuesCount = 1 + len(shape)
        target = self.tensor((1 + len(shape),), dtype="int32")
        self.operator("PACK", [batch.index, *(size.index for size in sizes)], [target.index], packing)
        out = self.tensor((1, *shape), x.scale, x.zero_point)
        self.operator("RESHAPE", [x.index, target.index], [out.index], schema.ReshapeOptionsT())
        return out

    def softmax(self, x: Value, beta: float = 1.0) -> Value:
        options = schema.SoftmaxOptionsT()
        options.beta = beta
        out = self.tensor(x.shape, 1 / 256, -128)
        self.operator("SOFTMAX", [x.index], [out.index], options)
        return out

    def log_softmax(self, x: Value) -> Value:
        out = self.tensor(x.shape, 1 / 16, 127)
        self.operator("LOG_SOFTMAX", [x.index], [out.index], schema.LogSoftmaxOptionsT())
        return out

    def elementwise(
        self, name: str, x: Value, scale: float, zero_point: int, *, dtype: str = "int8"
    ) -> Value:
        """RELU, RELU6, RELU_N1_TO_1, LOGISTIC, QUANTIZE or DEQUANTIZE."""
        out = self.tensor(x.shape, scale, zero_point, dtype=dtype)
        self.operator(name, [x.index], [out.index])
        return out

    def finish(self, inputs: Value | Sequence[Value], outputs: Value | Sequence[Value]) -> bytes:
        """The model's bytes."""
        subgraph = schema.SubGraphT()
        subgraph.name = "main"
        subgraph.tensors, subgraph.operators = self._tensors, self._operators
        ends = [[v] if isinstance(v, Value) else list(v) for v in (inputs, outputs)]
        subgraph.inputs, subgraph.outputs = ([v.index for v in values] for values in ends)
        model = schema.ModelT()
        model.version = 3
        model.subgraphs, model.buffers = [subgraph, *self._others], self._buffers
        model.operatorCodes = []
        for code in self._codes:
            entry = schema.OperatorCodeT()
            entry.builtinCode, entry.deprecatedBuiltinCode = code, min(code, 127)
            entry.version = _VERSIONS.get(code, 1)
            model.operatorCodes.append(entry)
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())
