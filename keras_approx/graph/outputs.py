"""The outputs of a model by name, and what users give for each of them or of the inputs: losses, arrays, weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras_approx.errors import OptionError


def output_names(model: Any) -> tuple[str, ...]:
    """Names of a model's outputs: the keys of those that it gives as a dictionary, else those of Keras."""
    if not hasattr(model, "output_names"):  # Sequential, of Keras 3
        return (model.layers[-1].name,)
    outputs = model.output
    return tuple(sorted(outputs)) if isinstance(outputs, Mapping) else tuple(model.output_names)


def by_output(what: str, value: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """What is given for each output of a model of several, by its name; see `by_name`."""
    return by_name(what, value, names, "outputs")


def by_name(what: str, value: Any, names: tuple[str, ...], ends: str) -> dict[str, Any]:
    """What is given for each of several inputs or outputs, by its name.

    Args:
        what: What it is, for the message.
        value: A dictionary by name, or a tuple or list in the order of the names.
        names: Of the inputs or outputs.
        ends: Which of the two they are, for the message.

    Raises:
        OptionError: If it is not one for each of them.
    """
    if isinstance(value, Mapping) and set(value) == set(names):
        return {name: value[name] for name in names}
    if isinstance(value, (tuple, list)) and len(value) == len(names):
        return dict(zip(names, value, strict=True))
    if isinstance(value, Mapping):
        got = f"those for {', '.join(map(str, value)) or 'none'}"
    elif isinstance(value, (tuple, list)):
        got = f"{type(value).__name__} of {len(value)}"
    else:
        got = type(value).__name__
    raise OptionError(
        f"{what} must be one for each of the {ends} {', '.join(names)}, by name or in this order; got {got}"
    )
