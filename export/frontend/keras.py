"""Converts Keras models to full-integer int8 TFLite models."""

from __future__ import annotations

import logging
import os
import re
import struct
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import tflite as schema
from numpy.typing import NDArray

from export import training_side
from export.errors import ExportError, QuantizationError, UnsupportedModelError

_BATCH = 32
_SUBGRAPH_INPUTS, _SUBGRAPH_OUTPUTS = 1, 2  # their places in the table of a subgraph
_SIGNATURE_NAME = re.compile("[A-Za-z][A-Za-z0-9_]{0,62}")
_LOGGERS = ("absl", "tensorflow")


def to_tflite(model: Any, representative_data: Any = None) -> bytes:
    """The int8 TFLite model of a Keras model, with int8 input and output and batch 1.

    The same model and data give the same bytes.

    Args:
        model: A calibrated model of `keras_approx.wrap`, which brings its activation ranges; or a plain
            Sequential or functional float32 model of tf_keras or Keras 3 with inputs of fixed shapes.
        representative_data: For a plain model, inputs as they will come: float32 [n, *input shape], a batched
            tf.data.Dataset or an iterable of batches (a target beside the inputs is ignored); for several inputs tuples
            of arrays, or dictionaries by the inputs' names. All of it is used; a few hundred samples are enough.

    Returns:
        The content of a `.tflite` file.

    Raises:
        UnsupportedModelError: A subclassed model, dynamic shapes, or a layer that is not supported.
        QuantizationError: Representative data is missing, unusable, or not wanted; or the wrapped model was
            never calibrated.
    """
    try:
        if _is_wrapped(model):
            return _convert_wrapped(model, representative_data)
        return _convert_plain(model, representative_data)
    except (training_side.UnsupportedModelError, training_side.UnsupportedLayerError) as error:
        raise UnsupportedModelError(str(error)) from error
    except (training_side.CalibrationError, training_side.NotCalibratedError) as error:
        raise QuantizationError(str(error)) from error


def _is_wrapped(model: Any) -> bool:
    try:
        training_side.skip_wrappers(model)
    except training_side.NotWrappedError:
        return False
    return True


def _convert_wrapped(model: Any, representative_data: Any) -> bytes:
    if representative_data is not None:
        raise QuantizationError(
            "representative_data goes with a plain model; a wrapped one has the ranges it was calibrated and "
            "trained with: leave it out"
        )
    return _convert(training_side.conversion_model(model), model, lambda converter: None)


def _convert_plain(model: Any, representative_data: Any) -> bytes:
    tf = training_side.tf
    network = training_side.float_conversion_model(model)
    if representative_data is None:
        raise QuantizationError(
            "a plain Keras model needs representative_data to choose its int8 ranges from: pass inputs like "
            "those it will see, for instance representative_data=x_train[:300], or --data train.npz on the command line"
        )
    batches = training_side.model_batches(network, representative_data, _BATCH, None)
    seen = 0

    def samples() -> Iterator[list[NDArray[np.float32]]]:
        nonlocal seen
        for batch in batches:
            for sample in zip(*(batch if isinstance(batch, tuple) else (batch,)), strict=True):
                seen += 1
                yield [values[None].astype(np.float32) for values in sample]
        if not seen:
            raise QuantizationError("representative_data is empty: expected at least one input")

    def calibrate(converter: Any) -> None:
        converter.representative_dataset = samples
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]

    return _convert(network, model, calibrate)


def _convert(model: Any, original: Any, configure: Callable[[Any], None]) -> bytes:
    """Converts a tf_keras model, traced with batch 1, so that all its shapes are constant.

    Args:
        model: What is converted.
        original: The model it was made of, whose inputs and outputs have the user's names.
        configure: Sets the converter's options.
    """
    tf = training_side.tf
    takes = _end_names("input", len(model.inputs), getattr(original, "input_names", ()))
    gives = _end_names("output", len(model.outputs), getattr(original, "output_names", ()))
    inputs = [
        tf.TensorSpec((1, *tensor.shape[1:]), tf.float32, name=name)
        for name, tensor in zip(takes, model.inputs, strict=True)
    ]

    @tf.function(input_signature=inputs)
    def network(*given: Any) -> Any:
        outputs = model(given if len(given) > 1 else given[0], training=False)
        return dict(zip(gives, outputs, strict=True)) if len(gives) > 1 else outputs

    with _quiet() as chatter:
        converter = tf.lite.TFLiteConverter.from_concrete_functions([network.get_concrete_function()], model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        configure(converter)
        try:
            return _in_order(converter.convert(), takes, gives)
        except (ExportError, MemoryError):
            raise
        except Exception as error:
            if isinstance(error, training_side.KerasApproxError):
                raise
            raise UnsupportedModelError(
                f"the TFLite converter rejects model {model.name!r}: {error}{chatter()}"
            ) from error


def _end_names(kind: str, count: int, given: Sequence[str]) -> list[str]:
    """Names of the inputs or outputs in the file's signature: those of several where it can have them, or numbers."""
    numbered = [f"{kind}_{number}" for number in range(count)]
    if count == 1 or len(given) != count:
        return numbered
    found = [
        name if _SIGNATURE_NAME.fullmatch(name) else number
        for name, number in zip(given, numbered, strict=True)
    ]
    return found if len({name.lower() for name in found}) == count else numbered


def _in_order(data: bytes, takes: Sequence[str], gives: Sequence[str]) -> bytes:
    """The file with its inputs and outputs in the order of the model, given their names in its signature."""
    changed = bytearray(data)
    model = schema.Model.GetRootAs(changed, 0)
    graph, signature = model.Subgraphs(0), model.SignatureDefs(0)
    ends = (
        (_SUBGRAPH_INPUTS, graph.InputsLength(), signature.Inputs, takes),
        (_SUBGRAPH_OUTPUTS, graph.OutputsLength(), signature.Outputs, gives),
    )
    for slot, count, tensor, names in ends:
        order = {name: number for number, name in enumerate(names)}
        found = sorted(map(tensor, range(count)), key=lambda end: order[end.Name().decode()])
        start = graph._tab.Vector(graph._tab.Offset(4 + 2 * slot))
        struct.pack_into(f"<{count}i", changed, start, *(end.TensorIndex() for end in found))
    return bytes(changed)


@contextmanager
def _quiet() -> Iterator[Callable[[], str]]:
    """Keeps what TensorFlow logs and prints, from Python and C++, off the terminal.

    Yields:
        A function that returns the end of what was kept, for an error message.
    """
    levels = {name: logging.getLogger(name).level for name in _LOGGERS}
    sys.stdout.flush()
    sys.stderr.flush()
    with tempfile.TemporaryFile() as kept, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        saved = [os.dup(1), os.dup(2)]

        def tail() -> str:
            kept.seek(0)
            text = kept.read().decode("utf-8", "replace").strip()
            return f"\n{text[-2000:]}" if text else ""

        try:
            for name in _LOGGERS:
                logging.getLogger(name).setLevel(logging.ERROR)
            for descriptor in (1, 2):
                os.dup2(kept.fileno(), descriptor)
            yield tail
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for descriptor, original in zip((1, 2), saved, strict=True):
                os.dup2(original, descriptor)
                os.close(original)
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
