"""Walks the calls that make up a Keras model, of tf_keras or Keras 3, through nested models."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from keras_approx.errors import UnsupportedModelError
from keras_approx.graph.operations import is_operation, operands


@dataclass(frozen=True)
class Call:
    """One call of a layer.

    Attributes:
        layer: The layer, or the operation on symbolic tensors.
        key: Number of the call, in an order in which each follows its inputs.
        inputs: Keys of the calls that give its inputs.
        input_tensors: The symbolic tensors it was called on.
        output: The symbolic tensor it gave.
        shape: The output's shape without the batch.
        arguments: Further arguments of the call, by name, such as {"training": False}. Those that a nested model was
            called with hold for the layers in it.
    """

    layer: Any
    key: int
    inputs: tuple[int, ...]
    input_tensors: tuple[Any, ...]
    output: Any
    shape: tuple[int, ...]
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def inference_only(self) -> bool:
        """Whether the layer acts as at inference even while the model trains: frozen by `training=False`."""
        return self.arguments.get("training") is False


def calls(model: Any) -> list[Call]:
    """The calls that the model's outputs depend on; the first are the inputs, the last of one gives the output.

    Raises:
        UnsupportedModelError: If the model is not a Sequential or functional Keras model of static shapes.
    """
    return calls_and_outputs(model)[0]


def calls_and_outputs(model: Any) -> tuple[list[Call], tuple[int, ...]]:
    """The calls, and the keys of those that give the model's outputs; see `calls`."""
    _check_model(model)
    walk = _Walk()
    known: dict[int, int] = {}
    for tensor in model.inputs:
        walk.visit(tensor, known, {})
    return walk.calls, tuple(walk.visit(tensor, known, {}) for tensor in model.outputs)


def check_simple(model: Any, what: str) -> None:
    """Refuses models of several outputs, or in which a layer that carries a mask is called more than once.

    Args:
        model: A functional model.
        what: What does not take them, for the message.

    Raises:
        UnsupportedModelError: If the model is one of these.
    """
    if len(model.outputs) != 1:
        raise UnsupportedModelError(
            f"{what} takes models of one output, model {model.name!r} has {len(model.outputs)}"
        )
    seen: set[int] = set()
    for call in calls(model):
        if hasattr(call.layer, "set_mask") and id(call.layer) in seen:
            raise UnsupportedModelError(
                f"{what} takes models whose layers are called once, and {call.layer.name!r} is shared"
            )
        seen.add(id(call.layer))


def _check_model(model: Any) -> None:
    kind = f"{type(model).__module__}.{type(model).__name__}"
    if not _is_model(model):
        raise UnsupportedModelError(f"expected a Keras model, got {kind}")
    # A subclass may train in its own way, as long as it computes what its layers say.
    if not type(model).call.__module__.startswith(("keras.", "tf_keras.")):
        raise UnsupportedModelError(
            f"expected a Sequential or functional Keras model, got the subclass {kind}; its call method is "
            "code that cannot be read, so build it with keras.Model(inputs, outputs)"
        )
    if not getattr(model, "built", False) or not model.inputs:
        raise UnsupportedModelError(
            f"model {model.name!r} has no input shape yet; start it with keras.Input(shape), or call "
            "model.build(shape)"
        )
    for tensor in model.inputs:
        shape = tuple(tensor.shape)
        if None in shape[1:]:
            raise UnsupportedModelError(
                f"model {model.name!r} takes inputs of shape {shape}; all but the batch must be fixed, as C arrays are"
            )


def _is_model(value: Any) -> bool:
    return any(
        base.__name__ == "Model" and base.__module__.startswith(("keras.", "tf_keras."))
        for base in type(value).__mro__
    )


class _Walk:
    """Collects calls depth first, each tensor once in every call of the model that it belongs to."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def visit(self, tensor: Any, known: dict[int, int], outer: Mapping[str, Any]) -> int:
        """Visits a tensor and everything it depends on.

        Args:
            tensor: A symbolic tensor.
            known: Keys of the calls that give other tensors of the same model, by tensor id.
            outer: Arguments that the model was called with, which hold for layers without their own.

        Returns:
            The key of the call that gives the tensor.
        """
        if id(tensor) not in known:
            known[id(tensor)] = self._visit(tensor, known, outer)
        return known[id(tensor)]

    def _visit(self, tensor: Any, known: dict[int, int], outer: Mapping[str, Any]) -> int:
        layer, node_index, tensor_index = tensor._keras_history
        node = layer._inbound_nodes[node_index]
        parents = tuple(node.keras_inputs if hasattr(node, "keras_inputs") else node.input_tensors)
        inputs = tuple(self.visit(parent, known, outer) for parent in parents)
        if not _is_model(layer):
            return self._call(layer, inputs, parents, tensor, outer)
        _check_model(layer)
        arguments = {**outer, **_arguments(layer, node)}
        given = dict(zip(map(id, layer.inputs), inputs, strict=True))
        return self.visit(layer.outputs[tensor_index], given, arguments)

    def _call(
        self,
        layer: Any,
        inputs: tuple[int, ...],
        parents: tuple[Any, ...],
        tensor: Any,
        outer: Mapping[str, Any],
    ) -> int:
        shape = tuple(tensor.shape)[1:]
        key = len(self.calls)
        node = layer._inbound_nodes[tensor._keras_history[1]]
        arguments = operands(layer, node) if is_operation(layer) else {**outer, **_arguments(layer, node)}
        self.calls.append(Call(layer, key, inputs, parents, tensor, shape, arguments))
        return key


def _arguments(layer: Any, node: Any) -> dict[str, Any]:
    """What a layer was called with besides its inputs, by name."""
    recorded = getattr(node, "arguments", None)  # Keras 3
    positional, named = (
        (node.call_args, node.call_kwargs) if recorded is None else (recorded.args, recorded.kwargs)
    )
    if not named and len(positional) < 2:
        return {}
    parameters = inspect.signature(layer.call).parameters
    first, *others = parameters
    given = {**dict(zip(others, positional[1:], strict=False)), **named}
    # Keras 3's layers of augmentation record training=True, their default, which a model's own argument overrides.
    default = {name for name, value in given.items() if value is True and parameters[name].default is True}
    return {
        name: value
        for name, value in given.items()
        if name != first and value is not None and name not in default
    }
