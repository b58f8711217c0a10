"""Small int8 TFLite models for tests: one operator at a time, or random networks of many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from tests.export.models.model_builder import ModelBuilder, Value

ACTIVATIONS = ("none", "relu", "relu6", "relu_n1_to_1")


def random_inputs(shape: Sequence[int], count: int, seed: int = 0) -> NDArray[np.int8]:
    """Int8 [count, *shape]: uniform, except that the first two are all -128 and all 127."""
    inputs = np.random.default_rng(seed).integers(-128, 128, (count, *shape)).astype(np.int8)
    inputs[:1] = -128
    inputs[1:2] = 127
    return inputs


def random_weights(rng: np.random.Generator, shape: Sequence[int], zeros: float = 0.0) -> NDArray[np.int8]:
    """Weights in [-127, 127] of which a fraction `zeros` is exactly zero."""
    weights = rng.integers(-127, 128, shape)
    return np.where(rng.random(shape) < zeros, 0, weights).astype(np.int8)


class Layers:
    """Adds layers with random weights, and scales that spread their outputs over int8.

    Args:
        rng: Source of everything random.
        zeros: Fraction of the weights that is exactly zero.
        contrast: Factor on the multipliers; far above 1 outputs saturate, far below they vanish.
        dead: Fraction of the output channels whose weights are all zero.
    """

    def __init__(
        self, rng: np.random.Generator, zeros: float = 0.0, contrast: float = 1.0, dead: float = 0.0
    ) -> None:
        self.builder = ModelBuilder()
        self._rng = rng
        self._zeros = zeros
        self._dead = dead
        self._contrast = contrast

    def input(self, shape: Sequence[int]) -> Value:
        return self.builder.tensor((1, *shape), self._scale(), self.zero_point())

    def zero_point(self) -> int:
        return int(self._rng.integers(-128, 128))

    def _scale(self) -> float:
        return float(np.float32(10 ** self._rng.uniform(-3, 0)))

    def _parameters(
        self, x: Value, shape: Sequence[int], *, axis: int = 0, per_channel: bool = True, bias: bool = True
    ) -> dict[str, Any]:
        """Random weights with output channels along `axis`, bias and quantization of a layer that reads `x`."""
        channels = shape[axis]
        terms = int(np.prod(shape)) // channels
        total = 40 * 73 * (terms * (1 - self._zeros)) ** 0.5 + 1  # what an accumulator typically holds
        scale = float(np.float32(10 ** self._rng.uniform(-2.5, -0.5)))
        spread = self._rng.uniform(0.3, 1.0, channels if per_channel else 1)
        scales = [float(np.float32(s)) for s in scale * 60 * self._contrast / (x.scale * total) * spread]
        values = self._rng.integers(-int(total), int(total), channels, endpoint=True).astype(np.int32)
        weights = random_weights(self._rng, shape, self._zeros)
        if self._dead:
            np.moveaxis(weights, axis, 0)[self._rng.random(channels) < self._dead] = 0
        return {
            "weights": weights,
            "bias": values if bias else None,
            "weight_scales": scales,
            "scale": scale,
            "zero_point": self.zero_point(),
        }

    def conv(
        self,
        x: Value,
        channels: int,
        kernel: tuple[int, int] = (3, 3),
        *,
        per_channel: bool = True,
        depth: int | None = None,
        **how: Any,
    ) -> Value:
        """A convolution, grouped where `depth` is less than the input's channels; `how` as for the builder's `conv`."""
        shape = (channels, *kernel, depth or x.shape[3])
        return self.builder.conv(x, **self._parameters(x, shape, per_channel=per_channel), **how)

    def depthwise(
        self,
        x: Value,
        multiplier: int = 1,
        kernel: tuple[int, int] = (3, 3),
        *,
        per_channel: bool = True,
        bias: bool = True,
        **how: Any,
    ) -> Value:
        """A depthwise convolution; `how` as for the builder's `conv`."""
        shape = (1, *kernel, x.shape[3] * multiplier)
        parameters = self._parameters(x, shape, axis=3, per_channel=per_channel, bias=bias)
        return self.builder.conv(x, **parameters, multiplier=multiplier, **how)

    def dense(
        self,
        x: Value,
        units: int,
        *,
        activation: str = "none",
        per_channel: bool = False,
        bias: bool = True,
        keep: bool = False,
        rows: int = 1,
    ) -> Value:
        """A dense layer over all of the input, at each position if `keep`, or at each of `rows` rows."""
        terms = x.shape[-1] if keep else int(np.prod(x.shape)) // rows
        parameters = self._parameters(x, (units, terms), per_channel=per_channel, bias=bias)
        shape = (*x.shape[:-1], units) if keep else (rows, units)
        return self.builder.dense(x, **parameters, activation=activation, shape=shape, keep=keep)

    def transposed(
        self, x: Value, channels: int, kernel: tuple[int, int], stride: tuple[int, int], padding: str = "SAME"
    ) -> Value:
        """A transposed convolution."""
        parameters = self._parameters(x, (channels, *kernel, x.shape[3]))
        return self.builder.transposed(x, **parameters, stride=stride, padding=padding)

    def pool(
        self,
        x: Value,
        kind: str = "max",
        kernel: tuple[int, int] = (2, 2),
        *,
        stride: tuple[int, int] | None = None,
        padding: str = "VALID",
        activation: str = "none",
    ) -> Value:
        return self.builder.pool(kind, x, kernel, stride or kernel, padding=padding, activation=activation)

    def add(self, x: Value, y: Value, activation: str = "none") -> Value:
        scale = float(np.float32((x.scale + y.scale) * self._rng.uniform(0.3, 1.2) / self._contrast))
        return self.builder.add(x, y, scale, self.zero_point(), activation=activation)

    def mean(self, x: Value, keep_dims: bool = False) -> Value:
        scale = float(np.float32(x.scale * self._rng.uniform(0.3, 1.5) / self._contrast))
        return self.builder.mean(x, scale, self.zero_point(), keep_dims=keep_dims)

    def elementwise(self, x: Value, name: str) -> Value:
        """RELU, RELU6, RELU_N1_TO_1, QUANTIZE with a scale of its own, or LOGISTIC."""
        if name == "LOGISTIC":
            return self.builder.elementwise(name, x, 1 / 256, -128)
        scale = float(np.float32(x.scale * self._rng.uniform(0.3, 2.0) / self._contrast))
        return self.builder.elementwise(name, x, scale, self.zero_point())

    def resized(self, x: Value, size: tuple[int, int]) -> Value:
        """RESIZE_BILINEAR to a height and a width: an operator of plain C."""
        extents = self.builder.tensor((2,), dtype="int32", data=np.array(size))
        out = self.builder.tensor((1, *size, x.shape[3]), x.scale, x.zero_point)
        options = schema.ResizeBilinearOptionsT()
        self.builder.operator("RESIZE_BILINEAR", [x.index, extents.index], [out.index], options)
        return out

    def like(self, x: Value, y: Value) -> Value:
        """`y` requantized to the scale and zero point of `x`, as concatenation wants it."""
        return self.builder.elementwise("QUANTIZE", y, x.scale, x.zero_point)


def single_op_models(seed: int = 0) -> dict[str, bytes]:
    """A model of each operator alone, at odd sizes, strides and paddings, by name."""
    recipes: dict[str, Callable[[Layers, Value], Value]] = {
        "conv_same": lambda n, x: n.conv(x, 5),
        "conv_valid_stride": lambda n, x: n.conv(
            x, 4, (2, 3), stride=(2, 3), padding="VALID", activation="relu"
        ),
        "conv_1x1_per_tensor": lambda n, x: n.conv(x, 7, (1, 1), per_channel=False),
        "conv_dilated": lambda n, x: n.conv(x, 3, dilation=(2, 2), activation="relu6"),
        "conv_whole_image": lambda n, x: n.conv(x, 6, x.shape[1:3], padding="VALID"),
        "depthwise_same": lambda n, x: n.depthwise(x, activation="relu", bias=False),
        "depthwise_multiplier_stride": lambda n, x: n.depthwise(x, 2, (3, 2), stride=(2, 1), padding="VALID"),
        "depthwise_dilated": lambda n, x: n.depthwise(x, 1, (2, 3), dilation=(3, 2), activation="relu6"),
        "dense": lambda n, x: n.dense(x, 9),
        "dense_relu_no_bias": lambda n, x: n.dense(x, 4, activation="relu", bias=False),
        "max_pool": lambda n, x: n.pool(x),
        "max_pool_same": lambda n, x: n.pool(
            x, kernel=(3, 3), stride=(2, 2), padding="SAME", activation="relu"
        ),
        "average_pool": lambda n, x: n.pool(x, "average", (3, 2), stride=(2, 2)),
        "average_pool_same": lambda n, x: n.pool(x, "average", (3, 3), stride=(2, 2), padding="SAME"),
        "mean": lambda n, x: n.mean(x),
        "mean_keep_dims": lambda n, x: n.mean(x, keep_dims=True),
        "add": lambda n, x: n.add(x, n.depthwise(x), activation="relu"),
        "add_to_itself": lambda n, x: n.add(x, x),
        "residual": residual_blocks,
        "concatenation": lambda n, x: n.builder.concatenation([x, n.like(x, n.conv(x, 3)), x]),
        "concatenation_rows": lambda n, x: n.builder.concatenation([x, x], axis=1),
        "pad": lambda n, x: n.builder.pad(x, ((1, 2), (0, 3))),
        "reshape": lambda n, x: n.builder.reshape(x, (1, x.shape[3], x.shape[1] * x.shape[2])),
        "softmax": lambda n, x: n.builder.softmax(x),
        "relu": lambda n, x: n.elementwise(x, "RELU"),
        "relu6": lambda n, x: n.elementwise(x, "RELU6"),
        "logistic": lambda n, x: n.elementwise(x, "LOGISTIC"),
        "requantize": lambda n, x: n.elementwise(x, "QUANTIZE"),
    }
    models = {}
    for i, (name, recipe) in enumerate(recipes.items()):
        network = Layers(np.random.default_rng((seed, i)), zeros=0.3)
        x = network.input((7, 6, 3))
        models[name] = network.builder.finish(x, recipe(network, x))
    return models


def residual_blocks(network: Layers, x: Value) -> Value:
    """Two residual blocks, the second with a convolution on its shortcut, and a convolution at the end."""
    y = network.conv(x, 6, activation="relu")
    y = network.add(y, network.conv(network.conv(y, 4), 6), activation="relu")
    z = network.conv(y, 5)
    y = network.add(z, network.conv(y, 5, (1, 1)))
    return network.conv(y, 4, stride=(2, 2))


def small_classifier() -> bytes:
    """Four classes from an image of 5 x 6: little to compile."""
    network = Layers(np.random.default_rng(3), zeros=0.5)
    start = network.input((5, 6, 1))
    x = network.pool(network.conv(start, 4, activation="relu"))
    return network.builder.finish(start, network.builder.softmax(network.dense(x, 4)))


def random_network(seed: int, dead: float = 0.0) -> bytes:
    """An image network of 3 to 8 random blocks with branches that join again, and a classifier at its end."""
    rng = np.random.default_rng(seed)
    network = Layers(rng, zeros=float(rng.choice([0.0, 0.5, 0.9])), dead=dead)
    x = start = network.input((int(rng.integers(5, 13)), int(rng.integers(5, 13)), int(rng.integers(1, 5))))
    for _ in range(rng.integers(3, 9)):
        x = _random_block(network, rng, x)
    if rng.random() < 0.5:
        x = network.mean(x, keep_dims=bool(rng.random() < 0.3))
    if len(x.shape) == 4:
        x = network.builder.reshape(x, (1, int(np.prod(x.shape))))
    if rng.random() < 0.5:
        x = network.dense(x, int(rng.integers(1, 12)), activation="relu")
    x = network.dense(x, int(rng.integers(2, 11)), per_channel=bool(rng.random() < 0.3))
    if rng.random() < 0.5:
        x = network.builder.softmax(x)
    return network.builder.finish(start, x)


def _random_block(network: Layers, rng: np.random.Generator, x: Value) -> Value:
    height, width = x.shape[1:3]
    kernel = (int(rng.integers(1, min(4, height + 1))), int(rng.integers(1, min(4, width + 1))))
    stride = (int(rng.integers(1, 3)), int(rng.integers(1, 3)))
    padding = str(rng.choice(["SAME", "VALID"]))
    activation = str(rng.choice(ACTIVATIONS[:3]))
    channels = int(rng.integers(1, 9))
    match rng.integers(0, 10):
        case 0 | 1:
            return network.conv(x, channels, kernel, stride=stride, padding=padding, activation=activation)
        case 2:
            return network.depthwise(
                x, int(rng.integers(1, 3)), kernel, stride=stride, padding=padding, activation=activation
            )
        case 3:
            kind = str(rng.choice(["max", "average"]))
            return network.pool(x, kind, kernel, stride=stride, padding=padding)
        case 4:
            y = network.conv(x, x.shape[3], kernel, activation=activation)
            return network.add(x, network.conv(y, x.shape[3], kernel), activation=activation)
        case 5:
            y = network.conv(x, channels, kernel, activation=activation)
            return network.builder.concatenation([x, network.like(x, y)])
        case 6:
            amounts = rng.integers(0, 3, (2, 2)).tolist()
            padded = network.builder.pad(x, (tuple(amounts[0]), tuple(amounts[1])))
            return network.conv(padded, channels, kernel, stride=stride, padding=padding)
        case 7:
            y = network.conv(x, channels, kernel)
            return network.elementwise(y, str(rng.choice(["RELU", "RELU6", "LOGISTIC"])))
        case 8:
            y = network.builder.reshape(x, (1, width, height, x.shape[3]))
            y = network.builder.elementwise("QUANTIZE", y, y.scale, y.zero_point)
            return network.builder.reshape(y, x.shape)
        case _:
            y = network.conv(x, channels, kernel)
            return network.builder.elementwise("RELU", y, y.scale, y.zero_point)
