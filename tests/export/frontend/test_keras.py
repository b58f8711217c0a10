"""Keras models to int8 TFLite: what comes out, and what is refused."""

import os
import tempfile

import keras as keras3
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import keras_approx
from export.analysis.interpreter import run
from export.codegen.header import end_names
from export.errors import QuantizationError, UnsupportedModelError
from export.frontend import read_tflite
from export.frontend.keras import to_tflite
from export.frontend.reference import make_interpreter
from export.ir import ops
from tests.export.comparison import assert_interpreter_is_exact

DATA = np.random.default_rng(0).normal(size=(24, 12, 10, 2)).astype(np.float32)


def build(keras):
    """A network with every supported layer that changes a value, in tf_keras or Keras 3."""
    layers = keras.layers
    keras.utils.set_random_seed(1)
    x = start = keras.Input((12, 10, 2))
    x = layers.Conv2D(6, 3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = y = layers.ReLU()(x)
    x = layers.DepthwiseConv2D(3, padding="same", activation="relu")(x)
    x = layers.Add()([x, y])
    x = layers.MaxPooling2D(2)(x)
    x = layers.ZeroPadding2D(((1, 0), (0, 1)))(x)
    x = y = layers.SeparableConv2D(5, 3, strides=2, activation="relu6")(x)
    x = layers.Conv2D(4, 1, padding="same", activation="sigmoid")(x)
    x = layers.Concatenate()([x, y])
    x = layers.AveragePooling2D(2, strides=1)(x)
    x = layers.Dropout(0.2)(x)
    x = layers.Reshape((1, -1, 9))(x)
    x = layers.Flatten()(x)
    x = layers.Dense(7, activation="relu")(x)
    return keras.Model(start, layers.Dense(4, activation="softmax")(x))


@pytest.fixture(scope="module", params=["tf_keras", "keras 3"])
def model(request):
    return build(tf_keras if request.param == "tf_keras" else keras3)


@pytest.fixture(scope="module")
def tflite(model):
    return to_tflite(model, DATA)


def quantized(graph, inputs):
    quant = graph.tensors[graph.input].quant
    return np.clip(np.rint(inputs / quant.scale) + quant.zero_point, -128, 127).astype(np.int8)


def test_result_is_int8_exact_and_close_to_the_model(model, tflite):
    graph = read_tflite(tflite)
    inputs = quantized(graph, DATA)
    outputs = assert_interpreter_is_exact(tflite, inputs)
    probabilities = (outputs.astype(np.float32) + 128) / 256
    assert np.abs(probabilities - model.predict(DATA, verbose=0)).max() < 0.1
    interpreter = make_interpreter(tflite)
    assert interpreter.get_input_details()[0]["dtype"] == np.int8
    assert interpreter.get_output_details()[0]["dtype"] == np.int8


def test_every_layer_became_an_operator(tflite):
    kinds = {type(op) for op in read_tflite(tflite).ops}
    assert kinds >= {ops.Conv2D, ops.DepthwiseConv2D, ops.FullyConnected, ops.Add, ops.Concatenation}
    assert kinds >= {ops.MaxPool2D, ops.AveragePool2D, ops.Softmax, ops.Lookup, ops.Reshape}


def test_the_same_bytes_from_any_kind_of_data(model, tflite):
    labels = np.zeros(len(DATA))
    assert to_tflite(model, tf.data.Dataset.from_tensor_slices((DATA, labels)).batch(7)) == tflite
    assert to_tflite(model, (DATA[i : i + 5] for i in range(0, len(DATA), 5))) == tflite


def test_nothing_is_printed_or_left_behind(capfd, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    to_tflite(tf_keras.Sequential([tf_keras.layers.Conv2D(2, 3, input_shape=(12, 10, 2))]), DATA)
    assert capfd.readouterr() == ("", "")
    assert os.listdir(tmp_path) == []


def test_global_average_pooling_is_a_mean():
    model = tf_keras.Sequential(
        [tf_keras.layers.GlobalAveragePooling2D(input_shape=(12, 10, 2)), tf_keras.layers.Dense(3)]
    )
    tflite = to_tflite(model, DATA)
    assert [type(op) for op in read_tflite(tflite).ops] == [ops.Mean, ops.FullyConnected]
    assert_interpreter_is_exact(tflite)


def test_batch_normalization_that_follows_no_kernel_and_global_max_pooling():
    layers = tf_keras.layers
    tf_keras.utils.set_random_seed(3)
    model = tf_keras.Sequential(
        [
            layers.BatchNormalization(input_shape=(12, 10, 2)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.GlobalMaxPooling2D(),
            layers.Dense(3),
        ]
    )
    for norm in (model.layers[0], model.layers[2]):
        norm.set_weights([np.random.default_rng(4).uniform(0.5, 2.0, w.shape) for w in norm.get_weights()])
    tflite = to_tflite(model, DATA)
    graph = read_tflite(tflite)
    inputs = quantized(graph, DATA)
    outputs = assert_interpreter_is_exact(tflite, inputs)
    quant = graph.tensors[graph.output].quant
    error = (outputs.astype(np.float32) - quant.zero_point) * quant.scale - model.predict(DATA, verbose=0)
    assert np.abs(error).max() < 10 * quant.scale


def test_wrapped_model_keeps_skipped_weights_at_zero():
    wrapped = keras_approx.wrap(build(tf_keras))
    keras_approx.calibrate(wrapped, DATA)
    rng = np.random.default_rng(2)
    masks = {name: rng.random(mask.shape) < 0.3 for name, mask in keras_approx.get_masks(wrapped).items()}
    keras_approx.set_masks(wrapped, masks)
    tflite = to_tflite(wrapped)
    assert to_tflite(wrapped) == tflite
    graph = read_tflite(tflite)
    inputs = quantized(graph, DATA)
    outputs = assert_interpreter_is_exact(tflite, inputs)
    expected = wrapped.predict(DATA, verbose=0)
    assert np.abs((outputs.astype(np.float32) + 128) / 256 - expected).max() < 0.03
    kept = sum(
        np.count_nonzero(graph.constant(op.weights))
        for op in graph.ops
        if isinstance(op, ops.Conv2D | ops.FullyConnected)
    )
    assert 0 < kept <= sum(int(mask.sum()) for mask in masks.values())
    assert run(graph, inputs).std() > 0


def plain():
    return tf_keras.Sequential([tf_keras.layers.Dense(3, input_shape=(4,))])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "needs representative_data"),
        (np.zeros((0, 4)), "empty"),
        (iter([]), "empty"),
        (np.zeros((5, 3)), "has shape"),
        (np.zeros(4), "has shape"),
        (np.full((5, 4), np.nan), "NaN or infinity"),
        ([np.full((5, 4), np.inf)], "NaN or infinity"),
        ([["a"]], "not numbers"),
        (7, "must be an array"),
    ],
    ids=["none", "no rows", "no batches", "shape", "no batch axis", "nan", "inf", "text", "number"],
)
def test_unusable_representative_data(data, message):
    with pytest.raises(QuantizationError, match=message):
        to_tflite(plain(), data)


def test_wrapped_model_needs_calibration_and_no_data():
    wrapped = keras_approx.wrap(plain())
    with pytest.raises(QuantizationError, match="calibrate"):
        to_tflite(wrapped)
    keras_approx.calibrate(wrapped, np.ones((4, 4), np.float32))
    with pytest.raises(QuantizationError, match="leave it out"):
        to_tflite(wrapped, np.ones((4, 4), np.float32))


class Subclassed(tf_keras.Model):
    def call(self, inputs):
        return inputs


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Subclassed, "(?i)subclass|functional"),
        (
            lambda: tf_keras.Sequential([tf_keras.layers.Conv2D(2, 3, input_shape=(None, None, 1))]),
            "(?i)shape",
        ),
        (lambda: tf_keras.Sequential([tf_keras.layers.LSTM(3, input_shape=(4, 2), name="memory")]), "memory"),
        (lambda: "model.h5", "model"),
    ],
    ids=["subclassed", "dynamic", "layer", "no model"],
)
def test_unsupported_models(make, message):
    with pytest.raises(UnsupportedModelError, match=message):
        to_tflite(make(), np.ones((3, 4), np.float32))


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("Sensor", "other", "posture", "effort"), ("sensor", "other", "posture", "effort")),
        (
            ("a.b", "other", "up/down", "effort"),
            (None, "other", None, "effort"),
        ),  # named by the converter or numbered
    ],
)
@pytest.mark.parametrize("wrapped", [True, False])
def test_several_ends_keep_their_names_and_their_order(names, found, wrapped):
    inputs = [tf_keras.Input((6,), name=names[0]), tf_keras.Input((6,), name=names[1])]
    hidden = tf_keras.layers.Add()([tf_keras.layers.Dense(6, "relu")(inputs[0]), inputs[1]])
    outputs = [
        tf_keras.layers.Dense(3, name=names[2])(hidden),
        tf_keras.layers.Dense(2, name=names[3])(hidden),
    ]
    model = tf_keras.Model(inputs, outputs)
    data = tuple(np.random.default_rng(number).normal(size=(32, 6)).astype(np.float32) for number in range(2))
    if wrapped:
        model = keras_approx.wrap(model)
        keras_approx.calibrate(model, data, verbose=False)
    graph = read_tflite(to_tflite(model, None if wrapped else data))
    names = (*end_names(graph, "input"), *end_names(graph, "output"))
    assert all(name == wanted for name, wanted in zip(names, found, strict=True) if wanted is not None)
    assert [graph.tensors[output].shape for output in graph.outputs] == [(1, 3), (1, 2)]
