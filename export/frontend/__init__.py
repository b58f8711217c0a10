"""From models to the int8 graph. TensorFlow is imported only when a function needs it."""

from export.frontend.tflite import read_tflite

__all__ = ["read_tflite"]
