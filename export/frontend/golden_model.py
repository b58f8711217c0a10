"""Repairs a file so that TFLite loads and runs it: adds missing biases, moves their scales to the right axis.

TFLite's convolutions refuse to run without a bias, and its loader refuses per-channel biases whose quantized dimension
is that of the weights, as old converters wrote them. The reference kernels know no newer version of TILE than the
second, which computes the same.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import flatbuffers
import tflite as schema

from export.ir.graph import Graph
from export.ir.ops import Conv2D, DepthwiseConv2D

_OUTPUT_AXIS = {schema.BuiltinOperator.CONV_2D: 0, schema.BuiltinOperator.DEPTHWISE_CONV_2D: 3}
_WEIGHTS, _BIAS = 1, 2  # indices among the inputs
_VERSIONS = {schema.BuiltinOperator.TILE: 2}  # the newest that the reference kernels know
_VERSION = 2  # its field in an OperatorCode table
_ALIGNMENT = 16  # of constants
_QUANTIZED_DIMENSION = 16  # its field in a QuantizationParameters table
# Fields by their place in their table.
_MODEL = {
    "version": 0,
    "operator_codes": 1,
    "subgraphs": 2,
    "description": 3,
    "buffers": 4,
    "metadata_buffer": 5,
    "metadata": 6,
}
_SIGNATURES = 7
_SUBGRAPH = {"tensors": 0, "inputs": 1, "outputs": 2, "operators": 3, "name": 4}
_OPERATOR = {"code": 0, "inputs": 1, "outputs": 2, "options_type": 3, "options": 4}


def golden_model(data: bytes, graph: Graph) -> bytes:
    """The same network as a file that TFLite runs.

    Args:
        data: Content of a `.tflite` file.
        graph: What `read_tflite` made of it.

    Returns:
        `data` itself where nothing is wrong.
    """
    data = _with_known_versions(_with_bias_axes(data))
    # A dense layer at several positions is read as a convolution that rounds once; it runs without a bias.
    convolutions = [op for op in graph.ops if isinstance(op, Conv2D | DepthwiseConv2D)]
    if all(op.bias is not None or (isinstance(op, Conv2D) and op.once) for op in convolutions):
        return data
    return _Completed(data).content()


def _with_bias_axes(data: bytes) -> bytes:
    """The file with every per-channel vector quantized along its one dimension."""
    changed = bytearray(data)
    model = schema.Model.GetRootAs(changed, 0)
    for graph in map(model.Subgraphs, range(model.SubgraphsLength())):
        for tensor in map(graph.Tensors, range(graph.TensorsLength())):
            quantization = tensor.Quantization()
            if quantization is None or tensor.ShapeLength() != 1 or not quantization.QuantizedDimension():
                continue
            field = quantization._tab.Pos + quantization._tab.Offset(_QUANTIZED_DIMENSION)
            struct.pack_into("<i", changed, field, 0)
    return data if changed == data else bytes(changed)


def _with_known_versions(data: bytes) -> bytes:
    """The file with no newer version of an operator than the reference kernels know."""
    changed = bytearray(data)
    model = schema.Model.GetRootAs(changed, 0)
    for code in map(model.OperatorCodes, range(model.OperatorCodesLength())):
        newest = _VERSIONS.get(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()))
        if newest is not None and code.Version() > newest:
            field = code._tab.Pos + code._tab.Offset(4 + 2 * _VERSION)
            struct.pack_into("<i", changed, field, newest)
    return data if changed == data else bytes(changed)


class _Completed:
    """A file in which each convolution has a bias.

    A flatbuffer is written from its end: the old file is put there as it is, and the tables that change, from the
    model down to single operators, are written before it and refer to what they keep of it.
    """

    def __init__(self, data: bytes) -> None:
        self._model = schema.Model.GetRootAs(data, 0)
        self._size = -(-len(data) // _ALIGNMENT) * _ALIGNMENT
        self._builder = flatbuffers.Builder(2 * self._size)
        self._builder.Prep(_ALIGNMENT, self._size)
        self._builder.head -= self._size
        start = self._builder.head
        self._builder.Bytes[start : start + len(data)] = data

    def content(self) -> bytes:
        """The bytes of the completed file."""
        model, graph = self._model, self._model.Subgraphs(0)
        codes = [model.OperatorCodes(i) for i in range(model.OperatorCodesLength())]
        kinds = [max(code.BuiltinCode(), code.DeprecatedBuiltinCode()) for code in codes]
        tensors = [self._kept(graph.Tensors(i)) for i in range(graph.TensorsLength())]
        buffers = [self._kept(model.Buffers(i)) for i in range(model.BuffersLength())]
        operators = []
        for operator in map(graph.Operators, range(graph.OperatorsLength())):
            axis = _OUTPUT_AXIS.get(kinds[operator.OpcodeIndex()])
            if axis is None or (operator.InputsLength() > _BIAS and operator.Inputs(_BIAS) >= 0):
                operators.append(self._kept(operator))
                continue
            source, weights = (graph.Tensors(operator.Inputs(i)) for i in range(_BIAS))
            if not (_is_quantized(source) and _is_quantized(weights)):  # nothing reads its output
                operators.append(self._kept(operator))
                continue
            channels = weights.Shape(axis)
            operators.append(self._with_input(operator, len(tensors)))
            tensors.append(self._zeros(source, weights, channels, len(buffers)))
            buffers.append(self._buffer(4 * channels))
        changed = {"tensors": self._vector(tensors), "operators": self._vector(operators)}
        subgraphs = [self._table(graph, _SUBGRAPH, changed)]
        subgraphs += [self._kept(model.Subgraphs(i)) for i in range(1, model.SubgraphsLength())]
        changed = {"subgraphs": self._vector(subgraphs), "buffers": self._vector(buffers)}
        scalars = {"version": ("Int32", model.Version())}
        fields = {**_MODEL, "signatures": _SIGNATURES}
        self._builder.Finish(self._table(model, fields, changed, scalars), b"TFL3")
        return bytes(self._builder.Output())

    def _kept(self, table: Any) -> int:
        """The offset of a table of the old file, counted from the end as the builder does."""
        return int(self._size - table._tab.Pos)

    def _vector(self, offsets: Sequence[int]) -> int:
        self._builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self._builder.PrependUOffsetTRelative(offset)
        return int(self._builder.EndVector())

    def _numbers(self, values: Sequence[float], kind: str, size: int) -> int:
        self._builder.StartVector(size, len(values), size)
        for value in reversed(values):
            getattr(self._builder, f"Prepend{kind}")(value)
        return int(self._builder.EndVector())

    def _table(
        self,
        old: Any,
        fields: Mapping[str, int],
        changed: Mapping[str, int],
        scalars: Mapping[str, tuple[str, int]] | None = None,
    ) -> int:
        """A copy of a table with some references and numbers changed; what is absent stays absent."""
        scalars = scalars or {}
        self._builder.StartObject(max(fields.values()) + 1)
        for name, slot in fields.items():
            if name in scalars:
                kind, value = scalars[name]
                getattr(self._builder, f"Prepend{kind}Slot")(slot, value, 0)
                continue
            field = old._tab.Offset(4 + 2 * slot)
            kept = self._size - old._tab.Indirect(old._tab.Pos + field) if field else 0
            self._builder.PrependUOffsetTRelativeSlot(slot, changed.get(name, kept), 0)
        return int(self._builder.EndObject())

    def _with_input(self, operator: Any, bias: int) -> int:
        inputs = [*(operator.Inputs(i) for i in range(_BIAS)), bias]
        scalars = {
            "code": ("Uint32", operator.OpcodeIndex()),
            "options_type": ("Uint8", operator.BuiltinOptionsType()),
        }
        return self._table(operator, _OPERATOR, {"inputs": self._numbers(inputs, "Int32", 4)}, scalars)

    def _zeros(self, source: Any, weights: Any, channels: int, buffer: int) -> int:
        """A bias tensor whose values lie in a buffer."""
        builder = self._builder
        scales = list(_products(source, weights))
        name, shape = builder.CreateString("bias"), self._numbers([channels], "Int32", 4)
        scale = self._numbers(scales, "Float32", 4)
        zero_point = self._numbers([0] * len(scales), "Int64", 8)
        schema.QuantizationParametersStart(builder)
        schema.QuantizationParametersAddScale(builder, scale)
        schema.QuantizationParametersAddZeroPoint(builder, zero_point)
        quantization = schema.QuantizationParametersEnd(builder)
        schema.TensorStart(builder)
        schema.TensorAddShape(builder, shape)
        schema.TensorAddType(builder, schema.TensorType.INT32)
        schema.TensorAddBuffer(builder, buffer)
        schema.TensorAddName(builder, name)
        schema.TensorAddQuantization(builder, quantization)
        return int(schema.TensorEnd(builder))

    def _buffer(self, size: int) -> int:
        self._builder.StartVector(1, size, _ALIGNMENT)
        self._builder.head -= size
        self._builder.Bytes[self._builder.head : self._builder.head + size] = bytes(size)
        data = self._builder.EndVector()
        schema.BufferStart(self._builder)
        schema.BufferAddData(self._builder, data)
        return int(schema.BufferEnd(self._builder))


def _is_quantized(tensor: Any) -> bool:
    quantization = tensor.Quantization()
    return quantization is not None and quantization.ScaleLength() > 0


def _products(source: Any, weights: Any) -> Iterator[float]:
    """Input scale times each weight scale."""
    first = source.Quantization().Scale(0)
    quantization = weights.Quantization()
    return (first * quantization.Scale(i) for i in range(quantization.ScaleLength()))
