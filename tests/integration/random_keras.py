"""Random Keras models of the layers in the table: a recipe for each, of images, sequences or vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Recipe = Callable[[Any, np.random.Generator, Any], Any]
"""The output of a layer of a Keras library, with random settings, on a tensor."""

_IMAGE_SIZE, _STEPS, _CHANNELS = 9, 24, 6  # above them, a tensor is made smaller


def _activation(rng: np.random.Generator) -> str | None:
    return rng.choice(np.array([None, "relu", "sigmoid", "tanh", "swish", "elu"]))


def _padding(rng: np.random.Generator) -> str:
    return str(rng.choice(["valid", "same"]))


def _small(rng: np.random.Generator) -> int:
    return int(rng.integers(1, 4))


def _stride_or_dilation(rng: np.random.Generator) -> dict[str, int]:
    return [{}, {"strides": 2}, {"dilation_rate": 2}][rng.integers(3)]


def _other(layers: Any, rng: np.random.Generator, x: Any) -> Any:
    """A tensor of the same shape that is another function of the input."""
    return layers.Dense(x.shape[-1], activation=_activation(rng))(x)


def _merge(name: str, count: int) -> Recipe:
    def recipe(layers: Any, rng: np.random.Generator, x: Any) -> Any:
        return getattr(layers, name)()([x, *(_other(layers, rng, x) for _ in range(count - 1))])

    return recipe


def _plain(name: str, **settings: Any) -> Recipe:
    return lambda layers, rng, x: getattr(layers, name)(**settings)(x)


def _gate(layers: Any, rng: np.random.Generator, x: Any) -> Any:
    pool = layers.GlobalAveragePooling2D if len(x.shape) == 4 else layers.GlobalAveragePooling1D
    return layers.Multiply()([x, layers.Dense(x.shape[-1], activation="sigmoid")(pool(keepdims=True)(x))])


def _normalization(layers: Any, rng: np.random.Generator, x: Any) -> Any:
    channels = x.shape[-1]
    mean, variance = rng.normal(size=channels), rng.uniform(0.5, 2, channels)
    return layers.Normalization(mean=mean.tolist(), variance=variance.tolist())(x)


def _any_rank() -> dict[str, Recipe]:
    """Layers of images and of sequences alike."""
    return {
        "Dense": lambda layers, rng, x: layers.Dense(_small(rng) + 1, activation=_activation(rng))(x),
        "BatchNormalization": _plain("BatchNormalization"),
        "Normalization": _normalization,
        "Rescaling": lambda layers, rng, x: layers.Rescaling(
            float(rng.uniform(0.2, 2)), offset=float(rng.choice([0, rng.normal()]))
        )(x),
        "Activation": lambda layers, rng, x: layers.Activation(_activation(rng) or "linear")(x),
        "ReLU": lambda layers, rng, x: layers.ReLU(*rng.choice([[None, 0.0], [6.0, 0.0], [None, 0.2]]))(x),
        "LeakyReLU": lambda layers, rng, x: layers.LeakyReLU(float(rng.uniform(0.05, 0.5)))(x),
        "ELU": _plain("ELU"),
        "Softmax": _plain("Softmax"),
        "Add": _merge("Add", 3),
        "Subtract": _merge("Subtract", 2),
        "Multiply": _gate,
        "Average": _merge("Average", 3),
        "Maximum": _merge("Maximum", 3),
        "Minimum": _merge("Minimum", 2),
        "Concatenate": lambda layers, rng, x: layers.Concatenate(axis=int(rng.integers(1, len(x.shape))))(
            [x, _other(layers, rng, x)]
        ),
        "Identity": _plain("Identity"),
        "Dropout": _plain("Dropout", rate=0.1),
        "GaussianNoise": _plain("GaussianNoise", stddev=0.1),
        "GaussianDropout": _plain("GaussianDropout", rate=0.1),
        "AlphaDropout": _plain("AlphaDropout", rate=0.1),
        "ActivityRegularization": _plain("ActivityRegularization", l2=0.1),
    }


IMAGES: Mapping[str, Recipe] = {
    **_any_rank(),
    "Conv2D": lambda layers, rng, x: layers.Conv2D(
        2 * _small(rng),
        _small(rng),
        padding="same",
        activation=_activation(rng),
        groups=int(rng.choice([1, 2])) if x.shape[-1] % 2 == 0 else 1,
        use_bias=bool(rng.random() < 0.5),
        **_stride_or_dilation(rng),
    )(x),
    "Conv2DTranspose": lambda layers, rng, x: layers.Conv2DTranspose(
        _small(rng),
        _small(rng),
        strides=(_small(rng), _small(rng)),
        padding=_padding(rng),
        activation=_activation(rng),
        use_bias=bool(rng.random() < 0.7),
    )(x),
    "DepthwiseConv2D": lambda layers, rng, x: layers.DepthwiseConv2D(
        _small(rng),
        padding="same",
        depth_multiplier=_small(rng),
        activation=_activation(rng),
        **_stride_or_dilation(rng),
    )(x),
    "SeparableConv2D": lambda layers, rng, x: layers.SeparableConv2D(
        _small(rng), 3, padding="same", activation=_activation(rng), **_stride_or_dilation(rng)
    )(x),
    "PReLU": lambda layers, rng, x: layers.PReLU(shared_axes=[[1, 2], [1], None][rng.integers(3)])(x),
    "MaxPooling2D": lambda layers, rng, x: layers.MaxPooling2D(2, strides=_small(rng), padding=_padding(rng))(
        x
    ),
    "AveragePooling2D": lambda layers, rng, x: layers.AveragePooling2D(
        (2, 3), strides=_small(rng), padding=_padding(rng)
    )(x),
    "GlobalAveragePooling2D": lambda layers, rng, x: layers.Add()(
        [x, layers.GlobalAveragePooling2D(keepdims=True)(x)]
    ),
    "GlobalMaxPooling2D": lambda layers, rng, x: layers.Multiply()([x, layers.GlobalMaxPooling2D()(x)]),
    "UpSampling2D": lambda layers, rng, x: layers.UpSampling2D(
        2, interpolation=str(rng.choice(["nearest", "bilinear"]))
    )(x),
    "ZeroPadding2D": _plain("ZeroPadding2D", padding=((1, 0), (2, 1))),
    "Cropping2D": _plain("Cropping2D", cropping=((0, 1), (1, 0))),
    "Reshape": lambda layers, rng, x: layers.Reshape((x.shape[2], x.shape[1], x.shape[3]))(x),
    "Permute": lambda layers, rng, x: layers.Permute((2, 1, 3))(x),
    "SpatialDropout2D": _plain("SpatialDropout2D", rate=0.1),
    "RandomFlip": _plain("RandomFlip"),
    "RandomRotation": _plain("RandomRotation", factor=0.1),
    "RandomZoom": _plain("RandomZoom", height_factor=0.1),
    "RandomTranslation": _plain("RandomTranslation", height_factor=0.1, width_factor=0.1),
    "RandomContrast": _plain("RandomContrast", factor=0.1),
    "RandomBrightness": _plain("RandomBrightness", factor=0.1),
}
SEQUENCES: Mapping[str, Recipe] = {
    **_any_rank(),
    "Conv1D": lambda layers, rng, x: layers.Conv1D(
        2 * _small(rng),
        _small(rng),
        padding=str(rng.choice(["valid", "same", "causal"])),
        activation=_activation(rng),
        **_stride_or_dilation(rng),
    )(x),
    "SeparableConv1D": lambda layers, rng, x: layers.SeparableConv1D(
        _small(rng), 3, padding=str(rng.choice(["valid", "same", "causal"])), activation=_activation(rng)
    )(x),
    "DepthwiseConv1D": lambda layers, rng, x: layers.DepthwiseConv1D(
        _small(rng), padding=_padding(rng), depth_multiplier=_small(rng), activation=_activation(rng)
    )(x),
    "PReLU": lambda layers, rng, x: layers.PReLU(shared_axes=[[1], None][rng.integers(2)])(x),
    "MaxPooling1D": lambda layers, rng, x: layers.MaxPooling1D(2, strides=_small(rng), padding=_padding(rng))(
        x
    ),
    "AveragePooling1D": lambda layers, rng, x: layers.AveragePooling1D(2, padding=_padding(rng))(x),
    "GlobalAveragePooling1D": lambda layers, rng, x: layers.Subtract()(
        [x, layers.GlobalAveragePooling1D(keepdims=True)(x)]
    ),
    "GlobalMaxPooling1D": lambda layers, rng, x: layers.Add()([x, layers.GlobalMaxPooling1D()(x)]),
    "UpSampling1D": _plain("UpSampling1D", size=2),
    "ZeroPadding1D": _plain("ZeroPadding1D", padding=(1, 2)),
    "Cropping1D": _plain("Cropping1D", cropping=(0, 1)),
    "Reshape": lambda layers, rng, x: layers.Reshape((x.shape[2], x.shape[1]))(x),
    "Permute": _plain("Permute", dims=(2, 1)),
    "SpatialDropout1D": _plain("SpatialDropout1D", rate=0.1),
}
ENDS = ("InputLayer", "Flatten")
"""Layers that every model has."""


def random_model(
    library: Any, rng: np.random.Generator, images: Sequence[str], sequences: Sequence[str]
) -> Any:
    """A model of two inputs and two outputs, with these layers one after the other.

    Args:
        library: tf_keras or Keras 3.
        rng: Source of all settings and weights.
        images: Names in IMAGES.
        sequences: Names in SEQUENCES.
    """
    layers = library.layers
    image, sequence = library.Input((7, 6, 4), name="image"), library.Input((16, 4), name="sequence")
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    for name in images:
        x = _fitting(layers, IMAGES[name](layers, rng, x))
    y = sequence
    for name in sequences:
        y = _fitting(layers, SEQUENCES[name](layers, rng, y))
    joined = layers.Concatenate()([layers.Flatten()(x), layers.Flatten()(y)])
    model = library.Model([image, sequence], [layers.Dense(3, activation="softmax")(joined), x])
    model.set_weights(
        [
            rng.uniform(0.3, 1, weight.shape) if weight.ndim == 1 else rng.normal(0, 0.5, weight.shape)
            for weight in model.get_weights()
        ]
    )
    return model


def _fitting(layers: Any, x: Any) -> Any:
    """The tensor, made small enough to go on with, and large enough for a pool."""
    _, *extents, channels = x.shape
    limit = _IMAGE_SIZE if len(extents) == 2 else _STEPS
    if max(extents) > limit:
        pool = layers.MaxPooling2D if len(extents) == 2 else layers.MaxPooling1D
        x = pool(-(-max(extents) // limit), padding="same")(x)
    if min(x.shape[1:-1]) < 4:
        x = layers.UpSampling2D(4)(x) if len(extents) == 2 else layers.UpSampling1D(4)(x)
    return layers.Dense(4)(x) if channels > _CHANNELS else x
