"""Optimal Brain Surgeon on one layer: which products to skip, and the weights that make up for them. NumPy, SciPy.

Inputs of neighboring pixels and channels resemble each other, so what one term adds to a sum others can mostly
add in its place. The error that counts is the one that is left after the remaining weights of the channel were
refitted, by least squares on the layer's own output: the method of Hassibi and Stork ("Second order derivatives
for network pruning: Optimal Brain Surgeon", 1993), layer by layer as Frantar and Alistarh do it ("Optimal Brain
Compression", 2022). Errors of different channels and layers compare by what they do to the model's outputs, to second
order: the variance of a channel's error times the squared gradient of the outputs there.

All functions take kernels (kernel height, kernel width, input channels, output channels) or (inputs, outputs),
float32, and the covariance [n, n] of a layer's inputs over samples and output positions, where n is the number of
operands of one output channel in the kernel's order. Moments of a layer with groups have an axis of groups before
these, [groups, n] and [groups, n, n]: each group is a layer by itself.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.linalg import blas
from threadpoolctl import threadpool_limits

from keras_approx.skipping.granularity import (
    Granularity,
    get_granularity,
    group_rows,
    group_sums,
    spread,
)
from keras_approx.text import plural

RIDGE = 1e-3
"""Added to the diagonal, as a share of its mean: inputs that are constant on calibration data may vary on others."""


@dataclass(frozen=True)
class LayerMoments:
    """Moments of a layer's inputs over samples and output positions, and of what its outputs do.

    The n operands of one output channel are in the order of the kernel's axes.

    Attributes:
        mean: E[a], float64 [n].
        covariance: E[a a^T] - E[a] E[a]^T, float64 [n, n].
        sensitivity: By output channel c, E[sum over positions p and outputs z of the model (dz / dy_pc)^2], float64:
            an error of variance 1 in the channel, independent at each position, moves the model's outputs by so
            much in squares.
        samples: How many they are of.
    """

    mean: np.ndarray
    covariance: np.ndarray
    sensitivity: np.ndarray
    samples: int


@dataclass(frozen=True)
class InputMoments:
    """Moments of the inputs a layer has and of those it would have, at the same positions of the same samples.

    Attributes:
        mean: float64 [n], of those it has.
        wanted: float64 [n], mean of the others.
        covariance: float64 [n, n], of those it has.
        cross: float64 [n, n], between those it has (rows) and the others (columns); None where they are the same.
    """

    mean: np.ndarray
    wanted: np.ndarray
    covariance: np.ndarray
    cross: np.ndarray | None = None


def warn_of_few_samples(samples: int, operands: Mapping[str, int], positions: Mapping[str, int]) -> None:
    """Warns where least squares have no more equations than unknowns: what they fit is the samples, not the layer.

    Each output position of each sample is an equation; each operand of an output is an unknown, and so is the bias.

    Args:
        samples: How many there are.
        operands: Of one output, by layer.
        positions: Of outputs in one sample, by layer.
    """
    enough = {name: count // positions[name] + 1 for name, count in operands.items()}
    worst = max(enough, key=lambda name: enough[name])
    if samples < enough[worst]:
        warnings.warn(
            f"expected at least {enough[worst]:,} samples to fit weights with, got {samples:,}: each output channel of "
            f"layer {worst!r} has {plural(operands[worst], 'weight')}, and a sample gives "
            f"{plural(positions[worst], 'equation')} for them; give more samples",
            stacklevel=4,
        )


def elimination_significance(
    kernel: np.ndarray,
    covariance: np.ndarray,
    sensitivity: np.ndarray,
    granularity: str | Granularity = "pair",
) -> np.ndarray:
    """How far the model's outputs move with each operand's group gone, in squares, in the order of a greedy search.

    From each output channel, or each block of them, the group goes first whose loss the others make up for best, then
    the next one, given what has gone. A group's value is the largest loss so far, so that the groups above any
    threshold are those that are left at one point of this order.

    Args:
        kernel: Weights.
        covariance: Of the layer's inputs.
        sensitivity: What an error of variance 1 does, by output channel, at least 0; see LayerMoments.
        granularity: What is kept or skipped together; see keras_approx.masks.

    Returns:
        float64 array of the kernel's shape; the operands of a group share its value equally.
    """
    if covariance.ndim > 2:
        parts = zip(_split(kernel, covariance), covariance, _split(sensitivity, covariance), strict=True)
        return np.concatenate([elimination_significance(*part, granularity) for part in parts], axis=-1)
    extent = get_granularity(granularity)
    rows = group_rows(kernel.shape, extent)
    weights, ridged = _by_group(kernel, _ridged(covariance), rows)
    weights = weights * np.sqrt(sensitivity)
    whole = float((weights * (ridged @ weights)).sum()) or 1.0
    weights /= np.sqrt(whole)  # a scale that single precision is at home with
    inverse = np.linalg.inv(ridged)
    # Many small updates: threads would wait for each other more than they work.
    with threadpool_limits(limits=1, user_api="blas"):
        losses = [
            _losses(weights[:, first : first + extent.outputs], ridged, inverse, rows.shape[1])
            for first in range(0, kernel.shape[-1], extent.outputs)
        ]
    sizes = group_sums(np.ones(kernel.shape), extent)
    return spread(np.stack(losses, axis=-1).reshape(sizes.shape) * whole / sizes, kernel.shape, extent)


def fit(kernel: np.ndarray, mask: np.ndarray, inputs: InputMoments, *, centered: bool) -> np.ndarray:
    """The weights of kept products that come nearest to the outputs which all of them give for the inputs wanted.

    Args:
        kernel: Weights of all products.
        mask: bool, the kernel's shape, True where a product is kept.
        inputs: What was measured.
        centered: Whether something else, such as a bias, sets the outputs' means right; otherwise the weights do.

    Returns:
        float32 array of the kernel's shape; weights of skipped products are as they were.
    """
    if inputs.mean.ndim > 1:
        each = zip(_split(kernel, inputs.mean), _split(mask, inputs.mean), _of_groups(inputs), strict=True)
        return np.concatenate([fit(*part, centered=centered) for part in each], axis=-1)
    if centered:
        return refit(kernel, mask, inputs.covariance, inputs.cross)
    cross = None if inputs.cross is None else inputs.cross + np.outer(inputs.mean, inputs.wanted)
    return refit(kernel, mask, inputs.covariance + np.outer(inputs.mean, inputs.mean), cross)


def refit(
    kernel: np.ndarray, mask: np.ndarray, covariance: np.ndarray, cross: np.ndarray | None = None
) -> np.ndarray:
    """The weights of kept products that come nearest to the outputs of all of them, up to a constant a channel.

    Args:
        kernel: Weights of all products.
        mask: bool, the kernel's shape, True where a product is kept.
        covariance: Of the layer's inputs.
        cross: Where the outputs wanted are those of other inputs: the covariance [n, n] of the layer's inputs (rows)
            and those (columns), at the same positions of the same samples. Weights change then where all are kept, too.

    Returns:
        float32 array of the kernel's shape; weights of skipped products are as they were.
    """
    ridged = _ridged(covariance)
    flat, kept = kernel.reshape(-1, kernel.shape[-1]), mask.reshape(-1, kernel.shape[-1])
    if cross is None:
        targets = ridged @ flat
    else:  # the ridge draws towards the weights as they are
        targets = cross @ flat + (ridged.diagonal() - covariance.diagonal())[:, np.newaxis] * flat
    found = flat.astype(np.float32)
    with threadpool_limits(limits=1, user_api="blas"):  # small ones, likewise
        for channel in range(kernel.shape[-1]):
            rows = np.flatnonzero(kept[:, channel])
            if len(rows) and (cross is not None or len(rows) < len(flat)):
                found[rows, channel] = np.linalg.solve(ridged[np.ix_(rows, rows)], targets[rows, channel])
    return found.reshape(kernel.shape)


def expected_outputs(kernel: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Expected sums of products of each output channel, given the mean of the inputs."""
    if mean.ndim > 1:
        parts = zip(_split(kernel, mean), mean, strict=True)
        return np.concatenate([expected_outputs(*part) for part in parts])
    sums: np.ndarray = mean @ kernel.reshape(-1, kernel.shape[-1])
    return sums


def output_variances(kernel: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Variances of the sums of products of each output channel, given the covariance of the inputs."""
    if covariance.ndim > 2:
        parts = zip(_split(kernel, covariance), covariance, strict=True)
        return np.concatenate([output_variances(*part) for part in parts])
    flat = kernel.reshape(-1, kernel.shape[-1])
    variances: np.ndarray = np.einsum("ic,ij,jc->c", flat, covariance, flat, optimize=True)
    return variances


def _split(values: np.ndarray, moments: np.ndarray) -> list[np.ndarray]:
    """What belongs to the output channels of each group."""
    return np.split(values, len(moments), axis=-1)


def _of_groups(inputs: InputMoments) -> list[InputMoments]:
    """The moments of each group."""
    cross = [None] * len(inputs.mean) if inputs.cross is None else inputs.cross
    parts = zip(inputs.mean, inputs.wanted, inputs.covariance, cross, strict=True)
    return [InputMoments(*part) for part in parts]


def _ridged(covariance: np.ndarray) -> np.ndarray:
    """A positive definite matrix; inputs that never vary do not help the others."""
    ridged = covariance.astype(np.float64)
    diagonal = ridged.diagonal().copy()
    varies = diagonal > 0
    ridge = RIDGE * diagonal[varies].mean() if varies.any() else 1.0
    ridged[~varies, :] = ridged[:, ~varies] = 0
    ridged[np.diag_indices_from(ridged)] += ridge
    return ridged


def _by_group(kernel: np.ndarray, ridged: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights [n, outputs] and covariance [n, n] of operands in the order of groups.

    Smaller groups are filled up with operands of weight 0 that vary with no other.
    """
    real = rows.ravel() >= 0
    numbers = rows.ravel()[real]
    weights = np.zeros((rows.size, kernel.shape[-1]))
    weights[real] = kernel.reshape(-1, kernel.shape[-1])[numbers]
    square = np.eye(rows.size)
    square[np.ix_(real, real)] = ridged[np.ix_(numbers, numbers)]
    return weights, square


def _losses(weights: np.ndarray, ridged: np.ndarray, inverse: np.ndarray, size: int) -> np.ndarray:
    """The largest loss up to each group's elimination, `[groups]`, for channels `[n, c]` that lose groups together.

    A group is `size` rows that follow each other.
    """
    found = np.zeros(len(weights) // size)
    used = weights.reshape(len(found), -1).any(axis=1)
    left = np.flatnonzero(used)
    if len(left) < len(found):  # what has no weights goes first, at no loss
        rows = np.repeat(used, size)
        weights, inverse = weights[rows], np.linalg.inv(ridged[np.ix_(rows, rows)])
    # In single precision: the ridge bounds the condition, and half the memory is twice the speed.
    weights = weights.astype(np.float32)
    inverse = np.array(inverse, np.float32, order="F")
    alive = np.ones(len(left), np.bool_)
    largest = 0.0
    while alive.any():
        if 4 * alive.sum() <= 3 * len(left):
            stay = np.repeat(alive, size)
            weights, inverse = weights[stay], np.asfortranarray(inverse[np.ix_(stay, stay)])
            left, alive = left[alive], alive[alive]
        solved, losses = _group_losses(weights, inverse, size)
        losses[~alive] = np.inf
        group = int(losses.argmin())
        # A little more each time, so that a ranking keeps to the order where later groups cost less.
        largest = max(largest * (1 + 1e-6), float(losses[group]))
        found[left[group]] = largest
        alive[group] = False
        gone = slice(size * group, size * (group + 1))
        columns = inverse[:, gone].copy(order="F")
        weights -= columns @ solved[group]
        weights[gone] = 0
        gains = np.asfortranarray(np.linalg.solve(inverse[gone, gone], columns.T).T)
        inverse = blas.sgemm(-1.0, gains, columns, 1.0, inverse, trans_b=True, overwrite_c=True)
        inverse[gone, :] = inverse[:, gone] = 0
        inverse[gone, gone] = np.eye(size)
    return found


def _group_losses(weights: np.ndarray, inverse: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """For each group (H_gg^-1 w_g, w_g^T H_gg^-1 w_g summed over channels), H the inverse covariance."""
    rows = np.arange(len(weights)).reshape(-1, size)
    parts = weights[rows]
    solved = np.linalg.solve(inverse[rows[:, :, np.newaxis], rows[:, np.newaxis, :]], parts)
    return solved, np.einsum("gic,gic->g", parts, solved)
