"""The one input and the one output that a Keras model has for a file of samples."""

from __future__ import annotations

from typing import Any

from export.errors import InputError


def input_shape(model: Any) -> tuple[int, ...]:
    """The shape of one input, without the batch.

    Raises:
        InputError: The model has several inputs, or none yet.
    """
    return _only(model, "input", getattr(model, "input_shape", None))


def output_shape(model: Any) -> tuple[int, ...]:
    """The shape of one output, without the batch; its last dimension is that of classes.

    Raises:
        InputError: The model has several outputs, or none yet.
    """
    return _only(model, "output", getattr(model, "output_shape", None))


def _only(model: Any, end: str, shape: Any) -> tuple[int, ...]:
    if isinstance(shape, dict | list):  # a shape for each
        raise InputError(
            f"a file of samples goes with a model of one {end}, {model.name!r} has {len(shape)}: use the Python "
            f"functions of keras_approx and export, which take an array for each {end}"
        )
    if shape is None:
        raise InputError(f"{model.name!r} has no {end} shape yet: build the model and save it again")
    return tuple(shape[1:])
