"""The int8 graph has the masks' zeros, the calibrated ranges, no float, and predicts what fake quantization does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import keras_approx
from keras_approx.compat import keras
from keras_approx.errors import NotCalibratedError, NotWrappedError
from keras_approx.layers.skip_wrapper import skip_wrappers
from tests.keras_approx import models, tflite

layers = keras.layers


def _prepared(make: Any, **options: Any) -> Any:
    wrapped = keras_approx.wrap(make(), **options)
    keras_approx.calibrate(wrapped, models.inputs(wrapped), verbose=False)
    keras_approx.set_masks(wrapped, models.random_masks(wrapped))
    return wrapped


@pytest.fixture(scope="module", params=[models.small, models.every_layer], ids=["small", "every_layer"])
def converted(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    wrapped = _prepared(request.param, compensate=True)
    return wrapped, tflite.interpreter(tflite.convert(wrapped))


def test_graph_is_all_integers(converted: tuple[Any, Any]) -> None:
    _, graph = converted
    assert {tensor["dtype"] for tensor in graph.get_tensor_details()} <= {np.int8, np.int32}
    operators = {operator["op_name"] for operator in graph._get_ops_details()}
    assert not operators & {"DEQUANTIZE", "SHAPE", "PACK", "STRIDED_SLICE", "MUL"}


def test_skipped_weights_are_zero_and_kept_ones_those_of_training(converted: tuple[Any, Any]) -> None:
    wrapped, graph = converted
    constants = [
        (tensor, graph.get_tensor(tensor["index"]))
        for tensor in graph.get_tensor_details()
        if tensor["dtype"] == np.int8 and tensor["quantization_parameters"]["zero_points"].size
    ]
    for layer in skip_wrappers(wrapped):
        kernel = np.where(layer.get_mask(), layer.kernel.numpy(), 0)
        scale = np.abs(kernel).reshape(-1, kernel.shape[-1]).max(axis=0) / 127
        integers = np.moveaxis(np.round(kernel / np.where(scale == 0, 1, scale)).astype(np.int8), -1, 0)
        assert any(
            values.shape == integers.shape and np.array_equal(np.abs(values), np.abs(integers))
            for _, values in constants
        ), layer.name


def test_ranges_are_those_of_calibration(converted: tuple[Any, Any]) -> None:
    wrapped, graph = converted
    scale, zero_point = graph.get_input_details()[0]["quantization"]
    low, high = wrapped.layers[1].get_range()
    assert scale == pytest.approx((high - low) / 255, rel=1e-6)
    assert zero_point == round(-128 - low / scale)
    assert graph.get_output_details()[0]["quantization"] == (1 / 256, -128)
    scales = np.array([t["quantization"][0] for t in graph.get_tensor_details() if t["dtype"] == np.int8])
    for layer in wrapped.layers:
        if layer.name.endswith("_range"):
            low, high = layer.get_range()
            assert np.isclose(scales, (high - low) / 255, rtol=1e-6).any(), layer.name


def test_predictions_agree_with_fake_quantization(converted: tuple[Any, Any]) -> None:
    wrapped, graph = converted
    x = models.inputs(wrapped, 200, seed=7)
    fake = wrapped.predict(x, verbose=0)
    np.testing.assert_allclose(keras_approx.conversion_model(wrapped).predict(x, verbose=0), fake, atol=1e-5)
    exact = tflite.predict(graph, x)
    assert np.mean(exact.argmax(1) == fake.argmax(1)) > 0.97
    # Half a step of rounding in the output; a step of difference here and there within.
    assert np.abs(exact - fake).mean() < 2 / 256


def test_masked_to_nothing() -> None:
    wrapped = _prepared(models.small)
    masks = keras_approx.get_masks(wrapped)
    masks["first"][..., 2] = False
    masks["second"][:] = False
    keras_approx.set_masks(wrapped, masks)
    x = models.inputs(wrapped, 50)
    exact = tflite.predict(tflite.interpreter(tflite.convert(wrapped)), x)
    np.testing.assert_allclose(exact, wrapped.predict(x, verbose=0), atol=3 / 256)


def _two_of_one_input() -> Any:
    x = keras.Input((6, 6, 3))
    both = [layers.Conv2D(4, 3, bias_initializer="random_normal", name=name)(x) for name in ("left", "right")]
    return keras.Model(x, layers.Flatten()(layers.Add()(both)))


def test_two_layers_of_one_input_masked_to_nothing() -> None:
    """Equal kernels of zeros stay two operators: their biases differ."""
    wrapped = _prepared(_two_of_one_input)
    keras_approx.set_masks(
        wrapped, {name: np.zeros_like(mask) for name, mask in keras_approx.get_masks(wrapped).items()}
    )
    x = models.inputs(wrapped, 50)
    found = tflite.interpreter(tflite.convert(wrapped))
    assert {tensor["dtype"] for tensor in found.get_tensor_details()} <= {np.int8, np.int32}
    np.testing.assert_allclose(tflite.predict(found, x), wrapped.predict(x, verbose=0), atol=3 / 256)


def _branching() -> Any:
    """A convolution that several layers take, so nothing may be folded into it; an activation after a pooling."""
    image = keras.Input((6, 6, 3))
    conv = layers.Conv2D(4, 3, padding="same")(image)
    norm = layers.BatchNormalization()(conv)
    joined = layers.Concatenate()([conv, norm, image])
    pooled = layers.Activation("relu")(layers.AveragePooling2D()(joined))
    added = layers.Add()([pooled, pooled])
    return models.randomize(keras.Model(image, layers.Dense(5)(layers.Flatten()(added))))


def _sigmoid_output() -> Any:
    image = keras.Input((5,))
    return models.randomize(keras.Model(image, layers.Dense(3, activation="sigmoid")(image)))


def _ends_in_batch_norm() -> Any:
    image = keras.Input((5, 5, 2))
    x = layers.BatchNormalization()(layers.Conv2D(3, 3)(layers.ZeroPadding2D()(image)))
    return models.randomize(keras.Model(image, x))


def _relu_after(layer: Any, name: str = "relu") -> Any:
    """An activation after a layer that it is not usually after."""
    image = keras.Input((6, 6, 4))
    x = layer([image, image]) if isinstance(layer, layers.Concatenate) else layer(image)
    activation = layers.ReLU(6.0) if name == "relu6" else layers.Activation(name)
    x = layers.Flatten()(activation(x))
    return models.randomize(keras.Model(image, layers.Dense(5)(x)))


@pytest.mark.parametrize(
    "make",
    [
        _branching,
        _sigmoid_output,
        _ends_in_batch_norm,
        lambda: _relu_after(layers.AveragePooling2D()),
        lambda: _relu_after(layers.AveragePooling2D(), "relu6"),
        lambda: _relu_after(layers.AveragePooling2D(), "sigmoid"),
        lambda: _relu_after(layers.MaxPooling2D()),
        lambda: _relu_after(layers.Concatenate()),
        lambda: _relu_after(layers.ZeroPadding2D()),
        lambda: _relu_after(layers.Reshape((3, 48))),
        lambda: _relu_after(layers.Dropout(0.5)),
        lambda: _relu_after(layers.GlobalAveragePooling2D()),
        lambda: _relu_after(layers.GlobalMaxPooling2D()),
        lambda: _relu_after(
            layers.Rescaling([0.3, 0.4, 0.5, 0.6], -1.0)
        ),  # one bias for all, scales for each
        lambda: _relu_after(layers.Conv2DTranspose(3, 2, strides=2, use_bias=False)),
    ],
)
def test_other_shapes_of_graphs(make: Any) -> None:
    wrapped = _prepared(make)
    graph = tflite.interpreter(tflite.convert(wrapped))
    assert {tensor["dtype"] for tensor in graph.get_tensor_details()} <= {np.int8, np.int32}
    x = models.inputs(wrapped, 100)
    step = graph.get_output_details()[0]["quantization"][0]
    difference = np.abs(tflite.predict(graph, x) - wrapped.predict(x, verbose=0))
    # Means of four integers are often halves, which TFLite rounds away from zero and fake quantization up.
    assert difference.max() < 4.5 * step
    assert difference.mean() < step / 2


def test_what_cannot_be_converted() -> None:
    with pytest.raises(NotWrappedError, match="wrap"):
        keras_approx.conversion_model(models.small())
    with pytest.raises(NotCalibratedError, match="calibrate"):
        keras_approx.conversion_model(keras_approx.wrap(models.small()))
