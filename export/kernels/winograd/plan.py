"""Plans a convolution by Winograd's algorithm: the kernels and calls of its shape, and constants from its weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from export.kernels.direct.plan import ConvProblem
from export.kernels.elementwise.tables import TABLE_MIDDLE
from export.kernels.language.steps import WORD
from export.kernels.plan import Plan
from export.kernels.winograd.algorithm import Algorithm
from export.kernels.winograd.requantization import Constants, Form, constants
from export.kernels.winograd.shape import Shape, padded_channels
from export.kernels.winograd.skeleton import scale_words, scales_start, skeleton
from export.kernels.winograd.tiles import CHANNELS
from export.kernels.winograd.weight_transform import packed_words
from export.targets import Timing


def layer_constants(problem: ConvProblem, algorithm: Algorithm) -> Constants | None:
    """The requantization of a layer, or None where its sums may leave 32 bits."""
    assert problem.scaling is not None
    return constants(algorithm, problem.scaling, problem.bias, problem.requantization)


def least_form(problem: ConvProblem) -> Form:
    """The cheapest form that a layer's requantization may have, one for all of the same instructions."""
    assert problem.scaling is not None
    first = problem.requantization[0]
    return Form(True, problem.scaling.signed, 1, first.low, first.high)


def plan_winograd(problem: ConvProblem, shape: Shape, requantization: Constants, timing: Timing) -> Plan:
    """Plans a layer.

    Args:
        problem: The layer.
        shape: Its shape.
        requantization: Its constants.
        timing: The core's pipeline, for which straight-line code is ordered.
    """
    made = skeleton(shape, requantization.form, timing)
    words = [*made.tables, *_weights(problem, shape), *_scales(problem, shape, requantization)]
    if problem.addition is not None:
        words += [value & 0xFFFFFFFF for value in problem.addition.table]
    assert len(words) == made.words
    kernels = tuple(recipe.kernel for recipe in made.recipes)
    return Plan(shape.name, kernels, made.calls, tuple(words), made.scratch_bytes)


def _weights(problem: ConvProblem, shape: Shape) -> list[int]:
    """Weights as the kernels read them, by block of output channels."""
    members = np.array([padded_channels(block) for block in shape.blocks])
    members[members < 0] = len(problem.weights)  # a channel of zeros for gaps
    missing = problem.weights.shape[3] % 2
    if shape.packed:
        weights = np.pad(problem.weights, ((0, 1), (0, 0), (0, 0), (0, missing)))
        taps = weights.reshape(len(weights), -1, shape.pairs, 2).transpose(0, 2, 1, 3)  # [out, pair, tap, 2]
        words = packed_words(taps)[members].transpose(0, 2, 1, 3)  # [block, pair, channel, word]
        return [int(word) for word in words.ravel()]
    transformed = shape.algorithm.transformed(problem.weights)
    points = [point for group in shape.tiling.groups for point in group.points]
    panels = np.concatenate([transformed[point] for point in points], axis=1)  # [channel, component, in]
    assert np.array_equal(panels, panels.astype(np.int16))
    panels = np.pad(panels, ((0, 1), (0, 0), (0, missing)))
    halves = (panels & 0xFFFF).astype(np.uint32)
    words = halves[..., 0::2] | halves[..., 1::2] << np.uint32(16)
    found: NDArray[np.uint32] = words[members].transpose(0, 2, 3, 1)  # [block, component, pair, channel]
    if shape.patterns is None:
        return [int(word) for word in found.ravel()]
    bits = np.array(shape.patterns)[..., None] >> np.arange(CHANNELS) & 1  # [block, pair, channel]
    kept = np.broadcast_to(bits[:, None] > 0, found.shape)
    return [int(word) for word in found[kept]]


def _scales(problem: ConvProblem, shape: Shape, requantization: Constants) -> list[int]:
    """Headers and requantization constants, by block of channels."""
    words: list[int] = []
    table = scales_start(shape) + sum(scale_words(shape, requantization.form, b) for b in shape.blocks)
    for block in shape.blocks:
        own = scales_start(shape) + len(words)
        values = [len(block.channels) * requantization.form.words * WORD]
        if problem.addition is not None:
            values += [(table - own + TABLE_MIDDLE) * WORD, problem.addition.rate]
        for channel in block.channels:
            blank = [0] * requantization.form.words
            values += blank if channel is None else requantization.words[channel].tolist()
        words += [value & 0xFFFFFFFF for value in values]
    return words
