"""From models to the int8 graph: the only package here that imports TensorFlow, and only when called."""

from export.frontend.tflite import read_tflite

__all__ = ["read_tflite"]
