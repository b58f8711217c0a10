"""wrap and strip: into the wrapped model and out of it again."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from keras_approx.errors import OptionError, UnsupportedModelError
from keras_approx.graph.build import build_model, plain_layer
from keras_approx.graph.layer_graph import Node
from keras_approx.graph.outputs import output_names
from keras_approx.graph.ranges import insert_quantizers
from keras_approx.graph.reader import read_model
from keras_approx.graph.rewrites import normalize, remove, restore
from keras_approx.layers.quantized_layers import QuantizeActivation, QuantizedWrapper
from keras_approx.layers.registry import SPECS
from keras_approx.layers.skip_wrapper import SkipWrapper, skip_wrappers, wrapped_inside
from keras_approx.wrapped_model import WrappedModel


def wrap(
    model: Any,
    *,
    skipped_gradient: str = "zero",
    compensate: bool = False,
    input_range: tuple[float, float] | None = None,
) -> Any:
    """Makes a model that can skip products and be quantized while it trains.

    Layers of products get a mask (Conv1D, Conv2D, Conv2DTranspose, Dense); activations and weights get int8 fake
    quantization. Both do nothing at first: the new model predicts what the given one does, up to float rounding
    where layers are computed as others (see `normalize`; Keras 3 uses other operations for some), else bit for bit.
    `calibrate` switches quantization on, masks act as soon as they are set.

    Args:
        model: Sequential or functional model of tf_keras or Keras 3, float32, its inputs of static shapes; see
            docs/layers.md for the layers. It is left as it is. Nested models are flattened.
        skipped_gradient: "zero" or "straight_through", see SkipWrapper.
        compensate: Whether to add the expected value of what is skipped to the bias.
        input_range: Smallest and largest value that inputs can have, all of them, if known; calibration measures it
            otherwise. With (-1, 127 / 128), for example, int8 pixels have scale 1 / 128 and zero point 0.

    Returns:
        A tf_keras model, not compiled.

    Raises:
        UnsupportedModelError: If the model is subclassed, has dynamic shapes or nothing to skip, or is wrapped already.
        UnsupportedLayerError: If a layer or one of its settings is not supported.
        OptionError: If an option has another value than those above.
    """
    _check_range(input_range)
    graph = normalize(read_model(model))
    if any(node.op == "QuantizeActivation" for node in graph.nodes):
        raise UnsupportedModelError(
            wrapped_inside(model) or f"model {model.name!r} is wrapped already; strip makes a plain one of it"
        )
    if not any(SPECS[node.op].skippable for node in graph.nodes):
        raise UnsupportedModelError(
            f"model {model.name!r} has no Conv1D, Conv2D, Conv2DTranspose or Dense layer, so there is nothing "
            "to skip"
        )
    options = {"skipped_gradient": skipped_gradient, "compensate": compensate}
    wrapped = build_model(insert_quantizers(graph, input_range), _layer_factory(options), WrappedModel)
    wrapped.name_outputs(output_names(model))
    return wrapped


def _check_range(input_range: Any) -> None:
    if input_range is None:
        return
    try:
        low, high = map(float, input_range)
        fits = -math.inf < low < high < math.inf
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise OptionError(
            "input_range must be the smallest and the largest value that inputs can have, two finite numbers such as "
            f"(0, 255); got {input_range!r}"
        )


def _layer_factory(options: dict[str, Any]) -> Callable[[Node], Any]:
    ranges: dict[str, QuantizeActivation] = {}

    def make_layer(node: Node) -> Any:
        if node.op == "QuantizeActivation":
            name = node.config["layer"]
            if name not in ranges:
                ranges[name] = QuantizeActivation(node.config["fixed_range"], name=name)
            return ranges[name]
        layer = plain_layer(node)
        if SPECS[node.op].skippable:
            return SkipWrapper(layer, **options)
        return QuantizedWrapper(layer) if SPECS[node.op].kernel else layer

    return make_layer


def strip(model: Any) -> Any:
    """The plain model that a wrapped one has become: skipped weights exactly 0, no quantization.

    Args:
        model: A wrapped model; it is left as it is.

    Returns:
        A tf_keras model of standard layers, not compiled. Activations are layers of their own, and
        compensation is part of the biases.

    Raises:
        NotWrappedError: If the model is not wrapped.
    """
    skip_wrappers(model)
    return build_model(restore(remove(read_model(model), "QuantizeActivation")), plain_layer)
