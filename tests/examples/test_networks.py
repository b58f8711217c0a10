"""The reference networks have the sizes that figures are compared by."""

from __future__ import annotations

import json

import cifar10
import networks
import numpy as np
import pytest
import tf_keras as keras
import train

PRODUCTS = {
    "lenet": 4_548_608,
    "lenet_wide": 9_650_688,
    "alexnet": 15_243_904,
    "resnet8": 12_501_632,
    "dscnn": 5_707_008,
}


def _products(layer: keras.layers.Layer) -> int:
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return int(np.prod(layer.output_shape[1:]) * np.prod(layer.kernel_size))
    if isinstance(layer, keras.layers.Conv2D):
        return int(np.prod(layer.output_shape[1:]) * np.prod(layer.kernel.shape[:3]))
    return int(np.prod(layer.kernel.shape)) if isinstance(layer, keras.layers.Dense) else 0


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_shapes_and_products(name: str) -> None:
    model = networks.NETWORKS[name]()
    assert model.name == name
    assert model.input_shape == (None, 32, 32, 3)
    assert model.output_shape == (None, 10)
    assert sum(map(_products, model.layers)) == PRODUCTS[name]


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_batch_normalization_follows_its_convolution(name: str) -> None:
    # Anything between the two would keep it from folding.
    for layer in networks.NETWORKS[name]().layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            producer = layer.input._keras_history.layer
            assert isinstance(producer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D)
            assert layer.name == f"{producer.name}_bn"
            assert not producer.use_bias


@pytest.mark.parametrize("name", networks.PRETRAINED)
def test_shipped_weights_reach_their_recorded_accuracy(name: str, subset: cifar10.Cifar10) -> None:
    record = json.loads((networks.WEIGHTS / f"{name}.json").read_text())
    part = cifar10.Part(subset.validation.images[:1000], subset.validation.labels[:1000])
    # Of 5,000 images that were recorded; the difference has a standard deviation of 1.1 points.
    assert abs(train.accuracy(networks.pretrained(name), part) - record["validation_accuracy"]) < 0.04
    assert record["network"] == name
    assert "JPEG" in record["data"]


def test_missing_weights_are_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"there are weights for .*lenet"):
        networks.pretrained("lenet5")
