"""Runs a TFLite model with the reference kernels, which generated code and the interpreter must equal."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.errors import InputError
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
    """
    graph = read_tflite(tflite)
    shape = graph.tensors[graph.input].shape[1:]
    if inputs.dtype != np.int8 or inputs.shape[1:] != shape:
        raise InputError(
            f"expected int8 inputs of shape (n, {', '.join(map(str, shape))}), got {inputs.dtype} "
            f"{inputs.shape}; quantize real inputs with the scale and zero point of the network's input"
        )
    interpreter = make_interpreter(tflite)
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
    """A `tf.lite.Interpreter` with the reference kernels; tensors are not allocated yet.

    Args:
        tflite: content of a `.tflite` file.
        keep_activations: lets every tensor be read after a run, not only the output.
    """
    import tensorflow as tf  # noqa: PLC0415 (slow to import)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # tf.lite.Interpreter announces its successor package
        return tf.lite.Interpreter(
            model_content=tflite,
            experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF,
            experimental_preserve_all_tensors=keep_activations,
        )


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
