"""The int8 networks that are measured, with and without skipped products.

Cycles depend on shapes and on which weights are zero, not on accuracy: float weights are those shipped with the
examples where there are any, else random, and pairs are skipped at random.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tf_keras as keras
import tflite as schema
from cifar10 import SUBSET, to_float
from jpeg_archive import read_archive
from networks import NETWORKS, PRETRAINED, pretrained
from numpy.typing import NDArray

from export import to_tflite

CALIBRATION_IMAGES = 200
_SEED = 0
_BLOCK = 4  # output channels that a kernel block has


@dataclass(frozen=True)
class Source:
    """An int8 network.

    Attributes:
        tflite: Content of the .tflite file.
        weights: Where its float weights came from, for the record.
    """

    tflite: bytes
    weights: str


def quantized(name: str) -> Source:
    """Converts one of the example networks to int8, with ranges from CIFAR-10 images shipped with them.

    Args:
        name: A key of `examples.networks.NETWORKS`.
    """
    if name in PRETRAINED:
        model, weights = pretrained(name), "trained on CIFAR-10 (JPEG version)"
    else:
        keras.utils.set_random_seed(_SEED)
        model, weights = NETWORKS[name](), f"random (seed {_SEED})"
    images = to_float(read_archive(SUBSET, ("validation",))["validation"][0][:CALIBRATION_IMAGES])
    return Source(to_tflite(model, representative_data=images), weights)


def keep_pairs(tflite: bytes, fraction: float, seed: int = _SEED) -> bytes:
    """Skips pairs of every convolution at random: both weights become zero.

    A pair is input channels 2k and 2k + 1 at one kernel position, for one output channel; a last odd channel is a
    pair by itself.

    Args:
        tflite: Content of a .tflite file.
        fraction: Of each CONV_2D's pairs that is kept, rounded to whole pairs.
        seed: Of the choice.

    Returns:
        The edited file; everything but the skipped weights is as it was.
    """
    rng = np.random.default_rng(seed)
    content = bytearray(tflite)
    for weights in _conv_weights(content):
        channels = weights.shape[3]
        shape = (*weights.shape[:3], -(-channels // 2))
        skipped = _skipped(shape, fraction, rng)
        weights[np.repeat(skipped, 2, axis=3)[..., :channels]] = 0
    return bytes(content)


def keep_kernels(tflite: bytes, fraction: float, seed: int = _SEED) -> bytes:
    """Skips whole kernels at random: all taps of an input pair, for four output channels at once.

    Only kernels of several taps and several pairs are skipped, so a first layer stays whole.

    Args:
        tflite: Content of a .tflite file.
        fraction: Of each layer's blocks of kernels that is kept, rounded to whole ones.
        seed: Of the choice.

    Returns:
        The edited file; everything but the skipped weights is as it was.
    """
    rng = np.random.default_rng(seed)
    content = bytearray(tflite)
    for weights in _conv_weights(content):
        out, rows, columns, channels = weights.shape
        if rows * columns == 1 or channels < 2 * _BLOCK:
            continue
        skipped = _skipped((-(-out // _BLOCK), -(-channels // 2)), fraction, rng)
        whole = np.repeat(np.repeat(skipped, _BLOCK, axis=0)[:out], 2, axis=1)[:, :channels]
        weights[np.broadcast_to(whole[:, None, None], weights.shape)] = 0
    return bytes(content)


def _skipped(shape: tuple[int, ...], fraction: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which of some groups are skipped, chosen at random."""
    count = int(np.prod(shape))
    skipped = np.ones(count, bool)
    skipped[rng.permutation(count)[: round(fraction * count)]] = False
    return skipped.reshape(shape)


def _conv_weights(content: bytearray) -> list[NDArray[np.int8]]:
    """Views of the CONV_2D weights in a file, [out, kernel y, kernel x, in] each."""
    model = schema.Model.GetRootAs(content)
    graph = model.Subgraphs(0)
    indices = []
    for operator in map(graph.Operators, range(graph.OperatorsLength())):
        code = model.OperatorCodes(operator.OpcodeIndex())
        if code.BuiltinCode() == schema.BuiltinOperator.CONV_2D and operator.Inputs(1) not in indices:
            indices.append(operator.Inputs(1))
    tensors = [graph.Tensors(index) for index in indices]
    return [
        model.Buffers(tensor.Buffer()).DataAsNumpy().view(np.int8).reshape(tensor.ShapeAsNumpy())
        for tensor in tensors
    ]
