"""Runs a TFLite model with the reference kernels, which generated code and the interpreter must equal."""

from __future__ import annotations

import os
import warnings
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from export.analysis.interpreter import checked_inputs
from export.errors import ToolError, UnsupportedModelError
from export.frontend.golden_model import golden_model
from export.frontend.tflite import read_tflite
from export.ir.tensor import Tensor
from export.reading.flatbuffer import read_model

Kernels = Literal["reference", "optimized"]


def run_reference(tflite: bytes, inputs: Any, *, kernels: Kernels = "reference") -> Any:
    """Outputs of `OpResolverType.BUILTIN_REF`, inference by inference; states are kept from one to the next.

    Float32 and uint8 ends of the model are peeled off as `read_tflite` does: int8 goes in and int8 comes out.

    Args:
        tflite: Content of a `.tflite` file that `read_tflite` accepts.
        inputs: int8 [n, *input shape without the batch dimension]; a sequence of such arrays for several inputs.
        kernels: As for `make_interpreter`.

    Returns:
        int8 [n, *output shape without the batch dimension] (int32 for indices); a tuple of such arrays for several
        outputs.

    Raises:
        InputError: `inputs` has another type or shape.
        ModelFormatError, UnsupportedModelError, QuantizationError: as `read_tflite`.
        ToolError: Neither LiteRT nor TensorFlow is installed.
    """
    graph = read_tflite(tflite)
    given = checked_inputs(graph, inputs)
    tensors = [graph.tensors[tensor] for tensor in graph.inputs]
    interpreter = make_interpreter(golden_model(tflite, graph), kernels=kernels)
    ends = _ends(tflite, interpreter)
    for source in ends[0]:
        if -1 in source["shape_signature"]:
            interpreter.resize_tensor_input(source["index"], [max(1, n) for n in source["shape_signature"]])
    interpreter.allocate_tensors()
    stored = [
        _from_int8(values, tensor, source["dtype"])
        for values, tensor, source in zip(given, tensors, ends[0], strict=True)
    ]
    last = [graph.tensors[tensor] for tensor in graph.outputs]
    outputs = [np.empty((len(given[0]), *tensor.shape[1:]), tensor.dtype) for tensor in last]
    for i in range(len(given[0])):
        for source, values in zip(ends[0], stored, strict=True):
            shape = [max(1, n) for n in source["shape_signature"]]
            interpreter.set_tensor(source["index"], values[i].reshape(shape))
        interpreter.invoke()
        for output, target, tensor in zip(outputs, ends[1], last, strict=True):
            found = _to_int8(interpreter.get_tensor(target["index"]), tensor)
            output[i] = found.reshape(output.shape[1:])
    return outputs[0] if len(outputs) == 1 else tuple(outputs)


def _ends(tflite: bytes, interpreter: Any) -> tuple[list[Any], list[Any]]:
    """Details of inputs and outputs in the order of the file."""
    model = read_model(tflite)[0]
    details = ({d["index"]: d for d in interpreter.get_input_details()}, interpreter.get_output_details())
    outputs = {d["index"]: d for d in details[1]}
    return [details[0][index] for index in model.inputs], [outputs[index] for index in model.outputs]


def make_interpreter(tflite: bytes, *, keep_activations: bool = False, kernels: Kernels = "reference") -> Any:
    """A TFLite interpreter with the reference kernels, LiteRT's or else TensorFlow's; tensors are not allocated yet.

    Args:
        tflite: Content of a `.tflite` file.
        keep_activations: Lets every tensor be read after a run, not only the output.
        kernels: "optimized" for operators of which TFLite has no reference kernel, such as ELU.

    Raises:
        ToolError: Neither is installed.
        UnsupportedModelError: TFLite does not load the file.
    """
    kind, resolvers = _runtime()
    options = {"model_content": tflite, "experimental_preserve_all_tensors": keep_activations}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", UserWarning
            )  # tf.lite.Interpreter announces its successor package
            resolver = "BUILTIN_REF" if kernels == "reference" else "BUILTIN_WITHOUT_DEFAULT_DELEGATES"
            return kind(experimental_op_resolver_type=getattr(resolvers, resolver), **options)
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


def _to_int8(values: NDArray[Any], tensor: Tensor) -> NDArray[Any]:
    """What the model's own DEQUANTIZE or QUANTIZE made `values` of; exact, since both are one to one."""
    if tensor.dtype == "int32":
        return values.astype(np.int32)
    if values.dtype == np.int8:
        return values
    if values.dtype == np.uint8:
        return (values.astype(np.int16) - 128).astype(np.int8)
    return (np.rint(values / np.float32(tensor.quant.scale)) + tensor.quant.zero_point).astype(np.int8)
