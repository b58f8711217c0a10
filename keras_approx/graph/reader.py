"""Reads a Keras model (tf_keras or Keras 3) into a graph of plain data, nested models flattened."""

from __future__ import annotations

import dataclasses
import inspect
import re
import warnings
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_approx.compat import keras
from keras_approx.errors import UnsupportedLayerError
from keras_approx.graph.layer_graph import Graph, Node, unique_name
from keras_approx.graph.operations import as_layer, is_operation
from keras_approx.graph.topology import Call, calls_and_outputs
from keras_approx.layers.quantized_layers import QuantizeActivation, QuantizedWrapper
from keras_approx.layers.registry import ACTIVATIONS, LAYERS, LayerSpec
from keras_approx.layers.skip_wrapper import SkipWrapper
from keras_approx.text import plural

_NAME = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9_./-]{0,127}")
_LIBRARIES = ("keras.", "tf_keras.")


def read_model(model: Any) -> Graph:
    """Reads a model whose layers are all supported.

    Wrapped layers are read as what they compute: a SkipWrapper as its layer with the masked kernel and the
    compensated bias, activation quantizers as nodes of their own.

    Args:
        model: A Sequential or functional model of tf_keras or Keras 3, its inputs of static shapes.

    Returns:
        The graph. Layers that are called more than once become one node a call; see `Node.layer`.

    Raises:
        UnsupportedModelError: If the model as a whole is of another kind.
        UnsupportedLayerError: If a layer or one of its settings is not supported.
    """
    found, outputs = calls_and_outputs(model)
    shared = _shared(found)
    names: dict[int, str] = {}
    nodes: list[Node] = []
    for call in found:
        node = _node(call, tuple(names[key] for key in call.inputs), {node.name for node in nodes})
        names[call.key] = node.name
        nodes.append(dataclasses.replace(node, layer=shared.get(id(call.layer), "")))
    return Graph(_safe_name(model.name), tuple(nodes), tuple(names[key] for key in outputs))


def _shared(found: list[Call]) -> dict[int, str]:
    """The names of the layers with weights that are called more than once, by id."""
    counts = Counter(id(call.layer) for call in found)
    return {
        id(call.layer): call.layer.name
        for call in found
        if counts[id(call.layer)] > 1
        and not isinstance(call.layer, QuantizeActivation)
        and getattr(call.layer, "weights", None)
    }


def _node(call: Call, inputs: tuple[str, ...], taken: set[str]) -> Node:
    layer = call.layer
    _check_name(layer.name)
    name = unique_name(layer.name, taken)
    if isinstance(layer, QuantizeActivation):
        config = {"layer": layer.name, "range": layer.get_range(), "fixed_range": layer.fixed_range}
        return Node(name, "QuantizeActivation", inputs, call.shape, config)
    if isinstance(layer, QuantizedWrapper):
        return _wrapped_node(layer, name, inputs, call.shape)
    if is_operation(layer):
        op, settings = as_layer(call.arguments)
        return Node(name, op, inputs, call.shape, settings)
    spec = _spec(layer)
    return Node(
        name,
        type(layer).__name__,
        inputs,
        call.shape,
        _config(layer, spec, call.shape),
        _weights(layer, spec),
        _inference_only(call, spec),
    )


def _inference_only(call: Call, spec: LayerSpec) -> bool:
    """Whether a layer that differs while training was called with `training=False`; refuses other arguments."""
    kind = f"layer {call.layer.name!r} ({type(call.layer).__name__})"
    unknown = sorted(set(call.arguments) - {"training"})
    if unknown:
        raise UnsupportedLayerError(
            f"{kind} is called with {', '.join(f'{name}=' for name in unknown)}; supported are calls with inputs and "
            "training="
        )
    if not spec.differs_in_training:
        return False
    training = call.arguments.get("training")
    if training not in (None, False):
        raise UnsupportedLayerError(
            f"{kind} is called with training={training!r}, so it would act as in training on the microcontroller too, "
            "which no int8 graph does; leave the argument out, or pass training=False"
        )
    return training is not None


def _wrapped_node(
    wrapper: QuantizedWrapper, name: str, inputs: tuple[str, ...], shape: tuple[int, ...]
) -> Node:
    layer = wrapper.layer
    config = _config(layer, wrapper.spec, shape)
    weights = dict(_weights(layer, wrapper.spec))
    if isinstance(wrapper, SkipWrapper):
        weights["kernel"] = np.where(wrapper.get_mask(), weights["kernel"], np.float32(0))
        if wrapper.compensate:
            weights["bias"] = wrapper.bias.numpy()
            config["use_bias"] = True
    return Node(name, type(layer).__name__, inputs, shape, config, weights)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UnsupportedLayerError(
            f"layer name {name[:60]!r} cannot be used: expected 1 to 128 letters, digits, '_', '-', '.', "
            "'/', the first a letter or digit, without '..'; rename the layer"
        )


def _safe_name(name: str) -> str:
    """A model's name, to which nothing refers, in characters that TensorFlow and file systems accept."""
    safe = re.sub(r"[^A-Za-z0-9_]+", "_", name)[:128].strip("_")
    return name if _NAME.fullmatch(name) else safe or "model"


def _spec(layer: Any) -> LayerSpec:
    kind = type(layer).__name__
    if kind not in LAYERS or not type(layer).__module__.startswith(_LIBRARIES):
        raise UnsupportedLayerError(
            f"layer {layer.name!r} is a {type(layer).__module__}.{kind}, which is not supported; supported "
            f"are the Keras layers {', '.join(LAYERS)}"
        )
    if kind == "InputLayer" and layer.compute_dtype != "float32":
        raise UnsupportedLayerError(
            f'input {layer.name!r} takes {layer.compute_dtype} values; build the model with Input(dtype="float32"), '
            "which holds the same numbers"
        )
    if layer.compute_dtype != "float32" or layer.variable_dtype != "float32":
        raise UnsupportedLayerError(
            f"layer {layer.name!r} computes in {layer.compute_dtype} with {layer.variable_dtype} weights; "
            "build the model with dtype float32"
        )
    return LAYERS[kind]


def _config(layer: Any, spec: LayerSpec, shape: tuple[int, ...]) -> dict[str, Any]:
    given = _settings(layer)
    if given.get("activity_regularizer") is not None:
        raise UnsupportedLayerError(
            f"layer {layer.name!r} ({type(layer).__name__}) has an activity_regularizer, which acts in training alone: "
            f"remove it with model.get_layer({layer.name!r}).activity_regularizer = None; if you want it in training, "
            "put an ActivityRegularization layer behind this one"
        )
    for setting, values in spec.required.items():
        if setting in given and given[setting] not in values:
            raise UnsupportedLayerError(
                f"layer {layer.name!r} ({type(layer).__name__}) has {setting}={given[setting]!r}; supported: "
                f"{', '.join(repr(value) for value in values)}"
            )
    config = {setting: given[setting] for setting in spec.settings if given.get(setting) is not None}
    if "activation" in spec.settings:
        config["activation"] = _activation(layer)
    if spec.weights:
        config["trainable"] = layer.trainable
    if "axis" in given:
        _check_axis(layer, spec, given["axis"], len(shape) + 1)
        if "axis" in config:
            config["axis"] = given["axis"] % (len(shape) + 1) if spec.any_axis else -1
    return config


def _settings(layer: Any) -> dict[str, Any]:
    """The layer's configuration; refuses regularizers and constraints that cannot be made of theirs again."""
    own = {setting: value for setting, value in vars(layer).items() if _is_own(setting, value)}
    kind = f"layer {layer.name!r} ({type(layer).__name__})"
    has = ", ".join(
        f"{setting}={getattr(value, '__name__', type(value).__name__)}" for setting, value in own.items()
    )
    try:
        with warnings.catch_warnings():  # of tf_keras about lambda functions
            warnings.simplefilter("ignore")
            given = dict(layer.get_config())
    except Exception as error:  # classes of users raise anything
        raise UnsupportedLayerError(
            f"{kind}{' with ' + has if has else ''} has no configuration: {type(error).__name__}: {error}; give "
            "classes of your own a get_config, or use those of Keras"
        ) from error
    if own and not type(layer).__module__.startswith("tf_keras."):
        raise UnsupportedLayerError(
            f"{kind} of Keras 3 has {has}, but the wrapped model trains in tf_keras: use classes of keras.regularizers "
            "and keras.constraints, or build the model in tf_keras"
        )
    if not all(_restorable(setting, value, given[setting]) for setting, value in own.items()):
        raise UnsupportedLayerError(
            f"{kind} has {has}, which tf_keras cannot make of its configuration, as copying and saving do: register "
            "functions and classes of your own with @tf_keras.saving.register_keras_serializable(), or use classes of "
            "tf_keras.regularizers and tf_keras.constraints"
        )
    return given


def _is_own(setting: str, value: Any) -> bool:
    """Whether a layer's attribute is a regularizer or a constraint that is not Keras's."""
    if setting.startswith("_") or not setting.endswith(("_regularizer", "_constraint")) or value is None:
        return False
    home = value.__module__ if inspect.isfunction(value) else type(value).__module__
    return not home.startswith(_LIBRARIES)


def _restorable(setting: str, value: Any, given: Any) -> bool:
    module = keras.regularizers if setting.endswith("_regularizer") else keras.constraints
    try:
        restored = module.deserialize(given)
    except Exception:  # classes of users raise anything
        return False
    return restored is value or (not inspect.isfunction(value) and type(restored) is type(value))


def _activation(layer: Any) -> str:
    function = layer.activation
    name = getattr(function, "__name__", type(function).__name__)
    if name == "hard_sigmoid" and function.__module__.startswith("tf_keras."):
        raise UnsupportedLayerError(
            f"layer {layer.name!r} has the hard_sigmoid of Keras 2, clip(0.2 x + 0.5, 0, 1); supported is that of "
            "Keras 3: ReLU(6.0)(x + 3.0) / 6"
        )
    if name not in ACTIVATIONS or not function.__module__.startswith((*_LIBRARIES, "tensorflow.")):
        raise UnsupportedLayerError(
            f"layer {layer.name!r} has activation {name!r}; supported: {', '.join(ACTIVATIONS)} of Keras"
        )
    return name


def _check_axis(layer: Any, spec: LayerSpec, axis: Any, rank: int) -> None:
    """Only the last axis, or any but the batch: an integer, or a list with one in Keras 2's batch normalization."""
    if spec.any_axis and axis % rank != 0:
        return
    if axis is None and type(layer).__name__ == "Normalization":
        return
    axes = list(axis) if isinstance(axis, (list, tuple)) else [axis]
    if axes not in ([-1], [rank - 1]):
        raise UnsupportedLayerError(
            f"layer {layer.name!r} ({type(layer).__name__}) works on axis {axis!r}; supported: "
            f"{'any but the batch' if spec.any_axis else f'the last, {rank - 1}'}"
        )


def _weights(layer: Any, spec: LayerSpec) -> Mapping[str, np.ndarray]:
    if type(layer).__name__ == "Normalization":
        return {name: np.asarray(getattr(layer, name), np.float32).ravel() for name in ("mean", "variance")}
    variables = {name: getattr(layer, _attribute(layer, name), None) for name in spec.weights}
    found = {name: np.asarray(value) for name, value in variables.items() if value is not None}
    if len(found) != len(layer.weights):
        raise UnsupportedLayerError(
            f"layer {layer.name!r} ({type(layer).__name__}) has {plural(len(layer.weights), 'weight')}; expected "
            f"{len(found)}: {', '.join(found)}"
        )
    return found


def _attribute(layer: Any, name: str) -> str:
    """Keras 3 calls the weights of a depthwise convolution "kernel", Keras 2 "depthwise_kernel"."""
    return "kernel" if name == "depthwise_kernel" and not hasattr(layer, name) else name
