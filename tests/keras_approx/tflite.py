"""Converts wrapped models and runs the int8 graphs with TFLite's reference kernels."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

import keras_approx
from keras_approx.compat import tf


def convert(model: Any) -> bytes:
    """The int8 graph of a wrapped model, int8 in and out."""
    converter = tf.lite.TFLiteConverter.from_keras_model(keras_approx.conversion_model(model))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return converter.convert()


def interpreter(graph: bytes) -> Any:
    """An interpreter with the reference kernels, ready to run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = tf.lite.Interpreter(
            model_content=graph,
            experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF,
        )
    found.allocate_tensors()
    return found


def predict(found: Any, inputs: np.ndarray) -> np.ndarray:
    """Dequantized outputs for float inputs."""
    source, target = found.get_input_details()[0], found.get_output_details()[0]
    scale, zero_point = source["quantization"]
    quantized = np.clip(np.round(inputs / scale) + zero_point, -128, 127).astype(np.int8)
    outputs = []
    for sample in quantized:
        found.set_tensor(source["index"], sample[np.newaxis])
        found.invoke()
        outputs.append(found.get_tensor(target["index"])[0])
    scale, zero_point = target["quantization"]
    return (np.array(outputs, np.float32) - zero_point) * np.float32(scale)
