"""The one input and the one output that a Keras model has for a file of samples."""

from __future__ import annotations

from typing import Any

from export.errors import InputError

_PYTHON = "the Python functions of keras_approx and export take an array for each"


def input_shape(model: Any) -> tuple[int, ...]:
    """The shape of one input, without the batch.

    Raises:
        InputError: The model has several inputs, or none yet.
    """
    return _only(model, "input", getattr(model, "input_shape", None))


def output_shape(model: Any, advice: str = _PYTHON) -> tuple[int, ...]:
    """The shape of one output, without the batch; its last dimension is that of classes.

    Args:
        model: The model.
        advice: What to do, or why, if it has several.

    Raises:
        InputError: The model has several outputs, or none yet.
    """
    return _only(model, "output", getattr(model, "output_shape", None), advice)


def _only(model: Any, end: str, shape: Any, advice: str = _PYTHON) -> tuple[int, ...]:
    if isinstance(shape, dict | list):  # a shape for each
        raise InputError(f"expected a model of one {end}, {model.name!r} has {len(shape)}: {advice}")
    if shape is None:
        raise InputError(f"{model.name!r} has no {end} shape yet: build the model and save it again")
    return tuple(shape[1:])
