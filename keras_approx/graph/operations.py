"""Arithmetic on symbolic tensors, such as x + 3 or x * y, read as the layers that compute it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_approx.errors import UnsupportedLayerError

# How tf_keras records plain TensorFlow operations on symbolic tensors.
_OPERATION_LAYERS = ("ClassMethod", "InstanceMethod", "InstanceProperty", "SlicingOpLambda", "TFOpLambda")
_KINDS = {
    "__operators__.add": "Add",
    "math.add": "Add",
    "math.subtract": "Subtract",
    "math.multiply": "Multiply",
    "math.truediv": "Divide",
    "math.divide": "Divide",
    "Add": "Add",
    "Subtract": "Subtract",
    "Multiply": "Multiply",
    "TrueDivide": "Divide",
    "Divide": "Divide",
}


def is_operation(layer: Any) -> bool:
    """Whether what a model records as a layer is an operation on symbolic tensors."""
    return not hasattr(layer, "get_weights") or type(layer).__name__ in _OPERATION_LAYERS


def operands(operation: Any, node: Any) -> dict[str, Any]:
    """What an operation computes, and of which numbers.

    Args:
        operation: As the model records it.
        node: Its call.

    Returns:
        "kind": "Add", "Subtract", "Multiply" or "Divide"; "numbers": two floats, None for those that are tensors.

    Raises:
        UnsupportedLayerError: If it is another operation, or of other constants than numbers.
    """
    kind = _KINDS.get(getattr(operation, "symbol", None) or type(operation).__name__)
    recorded = getattr(node, "arguments", None)  # Keras 3
    positional, named = (
        (node.call_args, node.call_kwargs) if recorded is None else (recorded.args, recorded.kwargs)
    )
    named = {name: value for name, value in named.items() if name != "name" and value is not None}
    values = (*positional, *named.values())
    if kind is None or len(values) != 2 or set(named) - {"x", "y", "x1", "x2"}:
        raise UnsupportedLayerError(
            f"operation {operation.name!r} ({type(operation).__name__}) is not a layer; supported are sums, "
            "differences, products and quotients of tensors and numbers: use a Keras layer for it"
        )
    numbers = tuple(
        None if hasattr(value, "_keras_history") else _number(operation, value) for value in values
    )
    if kind == "Divide" and numbers[1] is None:
        raise UnsupportedLayerError(
            f"operation {operation.name!r} divides by a tensor, which no int8 operator does; divide by a number"
        )
    return {"kind": kind, "numbers": numbers}


def _number(operation: Any, value: Any) -> float:
    array = np.asarray(value)
    if array.size != 1 or array.dtype.kind not in "fiu":
        raise UnsupportedLayerError(
            f"operation {operation.name!r} has a constant of shape {array.shape}; supported are numbers: use a "
            "Rescaling or Normalization layer for others"
        )
    return float(array.reshape(()))


def as_layer(arguments: Mapping[str, Any]) -> tuple[str, dict[str, float]]:
    """The layer class that computes an operation, and its settings.

    Args:
        arguments: What `operands` gave.
    """
    kind, (first, second) = arguments["kind"], arguments["numbers"]
    if first is None and second is None:
        return kind, {}
    number = second if first is None else first
    match kind:
        case "Add":
            return "Rescaling", {"scale": 1.0, "offset": number}
        case "Subtract" if first is None:
            return "Rescaling", {"scale": 1.0, "offset": -number}
        case "Subtract":
            return "Rescaling", {"scale": -1.0, "offset": number}
        case "Multiply":
            return "Rescaling", {"scale": number, "offset": 0.0}
        case _:
            return "Rescaling", {"scale": 1 / number, "offset": 0.0}
