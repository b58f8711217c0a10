"""Runs a TFLite model with the reference kernels, which generated code and the interpreter must equal."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.errors import InputError, ToolError, UnsupportedModelError
from export.frontend.golden_model import golden_model
from export.frontend.tflite import read_tflite
from export.ir.tensor import Tensor


def run_reference(tflite: bytes, inputs: NDArray[np.int8]) -> NDArray[np.int8]:
    """Outputs of `OpResolverType.BUILTIN_REF`, image by image.

    Float32 and uint8 ends of the model are peeled off as `read_tflite` does: int8 goes in and int8 comes out.

    Args:
        tflite: content of a `.tflite` file that `read_tflite` accepts.
        inputs: int8 [n, *input shape without the batch dimension].

    Returns:
        int8 [n, *output shape without the batch dimension].

    Raises:
        InputError: `inputs` has another type or shape.
        ModelFormatError, UnsupportedModelError, QuantizationError: as `read_tflite`.
        ToolError: neither LiteRT nor TensorFlow is installed.
    """
    graph = read_tflite(tflite)
    shape = graph.tensors[graph.input].shape[1:]
    if inputs.dtype != np.int8 or inputs.shape[1:] != shape:
        raise InputError(
            f"expected int8 inputs of shape (n, {', '.join(map(str, shape))}), got {inputs.dtype} "
            f"{inputs.shape}; quantize real inputs with the scale and zero point of the network's input"
        )
    interpreter = make_interpreter(golden_model(tflite, graph))
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    interpreter.resize_tensor_input(source["index"], [1, *shape])
    interpreter.allocate_tensors()
    first, last = graph.tensors[graph.input], graph.tensors[graph.output]
    outputs = np.empty((len(inputs), *last.shape[1:]), np.int8)
    stored = _from_int8(inputs, first, source["dtype"])
    for i in range(len(inputs)):
        interpreter.set_tensor(source["index"], stored[i : i + 1])
        interpreter.invoke()
        outputs[i] = _to_int8(interpreter.get_tensor(target["index"]), last)
    return outputs


def make_interpreter(tflite: bytes, *, keep_activations: bool = False) -> Any:
    """A TFLite interpreter with the reference kernels, LiteRT's or else TensorFlow's; tensors are not allocated yet.

    Args:
        tflite: content of a `.tflite` file.
        keep_activations: lets every tensor be read after a run, not only the output.

    Raises:
        ToolError: neither is installed.
        UnsupportedModelError: TFLite does not load the file.
    """
    kind, resolvers = _runtime()
    options = {"model_content": tflite, "experimental_preserve_all_tensors": keep_activations}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", UserWarning
            )  # tf.lite.Interpreter announces its successor package
            return kind(experimental_op_resolver_type=resolvers.BUILTIN_REF, **options)
    except (ValueError, RuntimeError) as error:
        raise UnsupportedModelError(f"TFLite does not load the model: {error}") from error


def _runtime() -> tuple[Any, Any]:
    """The class of the interpreter, and the enumeration of what it may take its kernels from."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    try:
        from ai_edge_litert import interpreter  # noqa: PLC0415 - an extra
    except ImportError:
        pass
    else:
        return interpreter.Interpreter, interpreter.OpResolverType
    try:
        import tensorflow as tf  # noqa: PLC0415 - slow to import
    except ImportError as error:
        raise ToolError(
            "no run on the reference kernels was made: it needs LiteRT; pip install 'keras_approx[reference]'"
        ) from error
    return tf.lite.Interpreter, tf.lite.experimental.OpResolverType


def _from_int8(values: NDArray[np.int8], tensor: Tensor, dtype: Any) -> NDArray[Any]:
    """What the model's own QUANTIZE turns into `values` again."""
    if dtype == np.int8:
        return values
    if dtype == np.uint8:
        return (values.astype(np.int16) + 128).astype(np.uint8)
    return (values.astype(np.float32) - tensor.quant.zero_point) * np.float32(tensor.quant.scale)


def _to_int8(values: NDArray[Any], tensor: Tensor) -> NDArray[np.int8]:
    """What the model's own DEQUANTIZE or QUANTIZE made `values` of; exact, since both are one to one."""
    if values.dtype == np.int8:
        return values
    if values.dtype == np.uint8:
        return (values.astype(np.int16) - 128).astype(np.int8)
    return (np.rint(values / np.float32(tensor.quant.scale)) + tensor.quant.zero_point).astype(np.int8)
