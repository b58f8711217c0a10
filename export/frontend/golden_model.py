"""Gives convolutions a bias of zeros where a file has none, without which TFLite's kernels refuse to run."""

from __future__ import annotations

from typing import Any

import numpy as np

from export.ir.graph import Graph
from export.ir.ops import Conv2D, DepthwiseConv2D

_OUTPUT_AXIS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3}
_BIAS = 2  # index among the inputs


def with_biases(data: bytes, graph: Graph) -> bytes:
    """The same network, each of its convolutions with a bias.

    Args:
        data: content of a `.tflite` file.
        graph: what `read_tflite` made of it.

    Returns:
        `data` itself where nothing is missing.
    """
    if all(op.bias is not None for op in graph.ops if isinstance(op, Conv2D | DepthwiseConv2D)):
        return data
    import flatbuffers  # noqa: PLC0415 - comes with TensorFlow
    from tensorflow.lite.python import schema_py_generated as schema  # noqa: PLC0415 (slow to import)

    model = schema.ModelT.InitFromPackedBuf(data, 0)
    main = model.subgraphs[0]
    axes = {getattr(schema.BuiltinOperator, name): axis for name, axis in _OUTPUT_AXIS.items()}
    for operator in main.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        axis = axes.get(max(code.builtinCode, code.deprecatedBuiltinCode))
        if axis is not None and (len(operator.inputs) <= _BIAS or operator.inputs[_BIAS] < 0):
            bias = _zeros(schema, main.tensors, operator.inputs, axis)
            bias.buffer = len(model.buffers)
            model.buffers.append(schema.BufferT())
            model.buffers[-1].data = np.zeros(4 * bias.shape[0], np.uint8)
            operator.inputs = np.array([*operator.inputs[:_BIAS], len(main.tensors)], np.int32)
            main.tensors.append(bias)
    builder = flatbuffers.Builder(len(data))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _zeros(schema: Any, tensors: list[Any], inputs: list[int], axis: int) -> Any:
    """A bias tensor, its values still missing."""
    source, weights = (tensors[index] for index in inputs[:_BIAS])
    scales = source.quantization.scale[0] * weights.quantization.scale
    bias = schema.TensorT()
    bias.name = "bias"
    bias.type = schema.TensorType.INT32
    bias.shape = np.array([weights.shape[axis]], np.int32)
    bias.quantization = schema.QuantizationParametersT()
    bias.quantization.scale = np.asarray(scales, np.float32)
    bias.quantization.zeroPoint = np.zeros(len(scales), np.int64)
    return bias
