"""wrap gives the same predictions, strip a plain model, and their options are checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras as keras3
import numpy as np
import pytest

import export
import keras_approx
from export.errors import ExportError
from keras_approx.compat import keras
from keras_approx.errors import (
    MaskError,
    NotWrappedError,
    OptionError,
    UnsupportedLayerError,
)
from keras_approx.layers.skip_wrapper import skip_wrappers
from tests.keras_approx import models

layers = keras.layers


@pytest.mark.parametrize("make", [models.small, models.every_layer])
def test_wrapped_model_predicts_bit_for_bit_what_the_original_does(make: Any) -> None:
    model = make()
    x = models.inputs(model)
    wrapped = keras_approx.wrap(model)
    assert np.array_equal(model.predict(x, verbose=0), wrapped.predict(x, verbose=0))
    assert np.array_equal(model(x), wrapped(x))


@pytest.mark.parametrize("make", [models.small, models.every_layer])
def test_keras_3_model_is_rebuilt(make: Any) -> None:
    model = make(keras3)
    x = models.inputs(model)
    wrapped = keras_approx.wrap(model)
    assert isinstance(wrapped, keras.Model)
    # Keras 3 computes batch normalization with other operations, so that roundings differ.
    np.testing.assert_allclose(np.asarray(model(x)), wrapped(x), rtol=1e-4, atol=1e-6)
    assert np.asarray(model(x)).std() > 0.01


def test_wrapping_leaves_the_original_alone() -> None:
    model = models.small()
    before = model.get_weights()
    wrapped = keras_approx.wrap(model)
    models.randomize(wrapped, seed=9)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_training_the_wrapped_model_is_training_the_original() -> None:
    model = models.small()
    wrapped = keras_approx.wrap(model)
    for each in (model, wrapped):
        each.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
        each.fit(models.inputs(model), models.labels(), batch_size=16, shuffle=False, verbose=0)
    x = models.inputs(model, seed=5)
    assert np.array_equal(model.predict(x, verbose=0), wrapped.predict(x, verbose=0))


def test_regularizers_and_frozen_layers_are_carried_over() -> None:
    for library in (keras, keras3):
        model = library.Sequential(
            [
                library.Input((4,)),
                library.layers.Dense(3, kernel_regularizer=library.regularizers.L2(0.5), name="a"),
                library.layers.Dense(2, name="b"),
            ]
        )
        model.layers[-1].trainable = False
        wrapped = keras_approx.wrap(model)
        assert [weight.name for weight in wrapped.trainable_weights] == ["a/kernel:0", "a/bias:0"]
        expected = 0.5 * np.sum(np.square(np.asarray(model.layers[0].kernel)))
        assert float(wrapped.losses[0]) == pytest.approx(expected)


def test_layer_without_weights_may_be_called_twice() -> None:
    image = keras.Input((4, 4, 2))
    relu = layers.ReLU()
    x = relu(layers.Conv2D(2, 3)(relu(layers.Conv2D(3, 1)(image))))
    model = models.randomize(keras.Model(image, x))
    x = models.inputs(model)
    assert np.array_equal(model(x), keras_approx.wrap(model)(x))


@pytest.mark.parametrize("library", [keras, keras3])
def test_training_argument_of_calls_is_kept(library: Any) -> None:
    inner = library.Sequential(
        [
            library.Input((4, 4, 2)),
            library.layers.Conv2D(3, 1),
            library.layers.BatchNormalization(name="norm"),
        ]
    )
    image = library.Input((4, 4, 2))
    x = library.layers.Flatten()(inner(image, training=False))
    model = library.Model(image, library.layers.Dense(2)(library.layers.Dropout(0.5)(x, training=False)))
    wrapped = keras_approx.wrap(models.randomize(model))
    x = models.inputs(wrapped)
    # Neither statistics of the batch nor dropout: as at inference.
    assert np.array_equal(wrapped(x, training=True), wrapped(x, training=False))
    stripped = keras_approx.strip(wrapped)
    assert np.array_equal(stripped(x, training=True), wrapped(x))


@pytest.mark.parametrize("library", [keras, keras3])
def test_calls_that_no_int8_graph_has(library: Any) -> None:
    image = library.Input((4,))
    dropout = library.layers.Dropout(0.5, name="random")(library.layers.Dense(3)(image), training=True)
    with pytest.raises(UnsupportedLayerError, match=r"'random' \(Dropout\) is called with training=True"):
        keras_approx.wrap(library.Model(image, library.layers.Dense(2)(dropout)))
    norm = library.layers.BatchNormalization(name="norm")
    masked = norm(
        library.layers.Dense(3)(image), mask=library.ops.ones((1,)) if library is keras3 else np.ones((1,))
    )
    with pytest.raises(UnsupportedLayerError, match=r"called with mask="):
        keras_approx.wrap(library.Model(image, library.layers.Dense(2)(masked)))


def _nested_twice(library: Any, *inner: Any) -> Any:
    image = library.Input((4, 4, 2))
    nested = library.Sequential([library.Input((4, 4, 2)), *inner])
    conv = library.layers.Conv2D(2, 1)(image)
    return library.Model(image, library.layers.Concatenate()([nested(image), nested(conv)]))


@pytest.mark.parametrize("library", [keras, keras3])
def test_nested_model_called_twice(library: Any) -> None:
    relu, pool = library.layers.ReLU(), library.layers.MaxPooling2D()
    model = models.randomize(_nested_twice(library, relu, pool))
    x = models.inputs(model)
    np.testing.assert_allclose(np.asarray(model(x)), keras_approx.wrap(model)(x), rtol=1e-6)
    shared = models.randomize(_nested_twice(library, library.layers.Conv2D(2, 1, padding="same")))
    wrapped = keras_approx.wrap(shared)
    assert len(wrapped.trainable_weights) == len(shared.trainable_weights)
    np.testing.assert_allclose(np.asarray(shared(x)), wrapped(x), rtol=1e-5)


@pytest.mark.parametrize("make", [models.small, models.every_layer])
def test_strip_gives_plain_layers_with_skipped_weights_exactly_zero(make: Any) -> None:
    wrapped = keras_approx.wrap(make())
    masks = models.random_masks(wrapped)
    keras_approx.set_masks(wrapped, masks)
    stripped = keras_approx.strip(wrapped)
    x = models.inputs(wrapped)
    assert np.array_equal(wrapped(x), stripped(x))
    assert all(type(layer).__module__.startswith("tf_keras.") for layer in stripped.layers)
    for name, mask in masks.items():
        kernel = stripped.get_layer(name).kernel.numpy()
        original = next(layer for layer in skip_wrappers(wrapped) if layer.name == name).kernel.numpy()
        assert np.array_equal(kernel, np.where(mask, original, 0))


def test_clone_keeps_options() -> None:
    wrapped = keras_approx.wrap(models.small(), skipped_gradient="straight_through", compensate=True)
    clone = keras.models.clone_model(wrapped)
    for layer in skip_wrappers(clone):
        assert (layer.skipped_gradient, layer.compensate) == ("straight_through", True)
    clone.set_weights(wrapped.get_weights())
    x = models.inputs(wrapped)
    assert np.array_equal(wrapped(x), clone(x))


@pytest.mark.parametrize("way", ["cloned", "loaded"])
def test_weights_keep_their_names(way: str, tmp_path: Path) -> None:
    wrapped = keras_approx.wrap(models.every_layer(), compensate=True)
    if way == "cloned":
        again = keras.models.clone_model(wrapped)
    else:
        wrapped.save(tmp_path / "model.keras")
        with keras_approx.approx_scope():
            again = keras.models.load_model(tmp_path / "model.keras")
    assert type(again) is type(wrapped)
    assert [weight.name for weight in again.weights] == [weight.name for weight in wrapped.weights]


def test_a_clone_with_a_transposed_convolution() -> None:
    wrapped = keras_approx.wrap(models.functional(layers.Conv2DTranspose(2, 3, strides=2, activation="relu")))
    clone = keras.models.clone_model(wrapped)
    clone.set_weights(wrapped.get_weights())
    x = models.inputs(wrapped)
    assert np.array_equal(wrapped(x), clone(x))


@pytest.mark.parametrize(
    "given", [(1, 0), (1, 1), (float("nan"), 1), (0, float("inf")), 255, (0, 1, 2), ("a", "b")]
)
def test_a_range_that_inputs_cannot_have(given: Any) -> None:
    with pytest.raises(
        OptionError, match=r"input_range must be .* two finite numbers such as \(0, 255\); got"
    ):
        keras_approx.wrap(models.small(), input_range=given)


def test_a_models_name_may_have_spaces() -> None:
    image = keras3.Input((3,))
    model = keras3.Model(image, keras3.layers.Dense(2)(image), name="my model")
    assert keras_approx.wrap(model).name == "my_model"


def test_batch_normalization_of_other_than_images() -> None:
    image = keras3.Input((8, 8, 4))
    cubes = keras3.layers.Reshape((4, 2, 8, 4))(keras3.layers.Conv2D(4, 1)(image))
    model = keras3.Model(image, keras3.layers.Flatten()(keras3.layers.BatchNormalization(name="norm")(cubes)))
    wrapped = keras_approx.wrap(models.randomize(model))
    x = models.inputs(wrapped)
    np.testing.assert_allclose(wrapped(x), np.asarray(model(x)), rtol=1e-5, atol=1e-5)
    keras_approx.calibrate(wrapped, x, verbose=False)
    assert export.estimate(wrapped).cycles > 0


def test_a_sum_of_three_is_two_sums() -> None:
    image = keras.Input((6, 6, 4))
    branches = [image, layers.Conv2D(4, 1)(image), layers.Conv2D(4, 1)(image)]
    model = keras.Model(image, layers.Dense(3)(layers.Flatten()(layers.Add()(branches))))
    wrapped = keras_approx.wrap(model)
    x = models.inputs(wrapped)
    np.testing.assert_array_equal(wrapped.predict(x, verbose=0), model.predict(x, verbose=0))
    keras_approx.calibrate(wrapped, x, verbose=False)
    assert export.estimate(wrapped).cycles > 0


def test_pixels_of_bytes() -> None:
    model = keras.Sequential([keras.Input((4,), dtype="uint8"), layers.Rescaling(1 / 255), layers.Dense(2)])
    with pytest.raises(UnsupportedLayerError, match=r'takes uint8 values; .* Input\(dtype="float32"\)'):
        keras_approx.wrap(model)


@pytest.mark.parametrize("library", [keras, keras3])
def test_the_name_of_a_single_output(library: Any) -> None:
    end = library.layers.Dense(3, activation="softmax", name="probs")
    wrapped = keras_approx.wrap(library.Sequential([library.Input((4,)), end]))
    again = type(wrapped).from_config(wrapped.get_config())
    for model in (wrapped, again):
        assert model.output_names == ["probs"]
    wrapped.compile("sgd", {"probs": "sparse_categorical_crossentropy"}, metrics={"probs": "accuracy"})
    history = wrapped.fit(np.ones((8, 4)), {"probs": np.zeros(8)}, verbose=0).history
    assert set(history) == {"loss", "accuracy"}


def test_a_new_head_on_wrapped_layers() -> None:
    wrapped = keras_approx.wrap(models.small())
    tensor = skip_wrappers(wrapped)[-1].input
    changed = keras.Model(wrapped.inputs, layers.Dense(5, name="head")(tensor))
    says = "'head' is not wrapped: strip the model, change it, and wrap it again"
    with pytest.raises(UnsupportedLayerError, match=says):
        keras_approx.calibrate(changed, models.inputs(wrapped), verbose=False)
    with pytest.raises(ExportError, match=says):
        export.to_tflite(changed)


def test_a_wrapped_model_as_a_layer() -> None:
    wrapped = keras_approx.wrap(models.small())
    outer = keras.Sequential([keras.Input(wrapped.input_shape[1:]), wrapped])
    says = f"has the wrapped model '{wrapped.name}' as a layer: give that one"
    for refuse in (keras_approx.get_masks, keras_approx.wrap, export.to_tflite):
        with pytest.raises(ValueError, match=says):
            refuse(outer)


def test_masks_are_set_all_or_none() -> None:
    wrapped = keras_approx.wrap(models.small())
    masks = {name: np.zeros_like(mask) for name, mask in keras_approx.get_masks(wrapped).items()}
    last = list(masks)[-1]
    with pytest.raises(MaskError, match=f"mask of '{last}'"):
        keras_approx.set_masks(wrapped, {**masks, last: np.zeros(3, bool)})
    assert all(mask.all() for mask in keras_approx.get_masks(wrapped).values())


def test_options() -> None:
    with pytest.raises(OptionError, match="skipped_gradient must be one of"):
        keras_approx.wrap(models.small(), skipped_gradient="none")
    with pytest.raises(NotWrappedError, match="wrap"):
        keras_approx.strip(models.small())
    with pytest.raises(NotWrappedError, match="int"):
        keras_approx.strip(3)
