"""Requantization by a single multiplication: q = saturate8(high((factor * acc + offset) * mult) >> shift).

The reference's output is a step function of the accumulator with at most 255 steps. Where their places lie on a
line, as they do when outputs of negative accumulators do not show (ReLU) or when the reference rounds once, a
multiplier and an offset with the same steps exist, and one shift serves all channels. The factor is in the weights, the
offset in the bias, so that nothing is left to add behind the multiplication. Steps are compared in exact integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from export.ir.fixed_point import Ints
from export.kernels.requantize import (
    INT16_MAX,
    INT32_MAX,
    bounds_beside_saturation,
)

_FACTOR = 258  # largest factor of weights up to 127 that fits 16 bits
_TRIES = 40  # factors
_TILTS = (0, 1, -1, 2, -2)  # multipliers beside the one that the reference has
_WORD = 32
_LARGEST_SHIFT = 22  # outputs shifted to the left, times a multiplier's unit, fit 64 bits
_LARGEST_RIGHT = 23  # likewise of the reference's shift


@dataclass(frozen=True)
class Linear:
    """Constants of one output channel.

    Attributes:
        factor: What weights and bias are multiplied by.
        offset: What is added to the bias after that.
        mult: The multiplier, int32, positive.
        shift: Final right shift, the same for all channels of a layer.
        low: Lower clamp bound that saturation to int8 does not give already, or None.
        high: Upper clamp bound likewise.
    """

    factor: int
    offset: int
    mult: int
    shift: int
    low: int | None
    high: int | None

    @property
    def mode(self) -> str:
        """Beside those of `Requantization`: SMMUL, and nothing to add."""
        return "plain"


def linear_requantization(
    multipliers: Sequence[tuple[int, int]],
    zero_point: int,
    clamp: tuple[int, int],
    bounds: tuple[Ints, Ints],
    largest_weights: Ints,
    *,
    constants: Ints,
    once: bool,
) -> tuple[Linear | None, ...] | None:
    """Finds the constants of all channels of a layer.

    Args:
        multipliers: (mult, shift) of each channel, see `fixed_point.conv_multipliers`.
        zero_point: Of the output.
        clamp: Inclusive bounds of the quantized output.
        bounds: int64 [channels] each, the least and the largest accumulator, bias included.
        largest_weights: int64 [channels], magnitudes; 0 for a channel without products.
        constants: int64 [channels], the outputs of channels without products.
        once: One rounding (FULLY_CONNECTED) instead of two.

    Returns:
        One entry a channel, of one shift, None for channels that have no such constants; None where no channel can.
    """
    varies = largest_weights > 0
    mult, shift = np.array(multipliers, np.int64).T
    reach = np.maximum(np.abs(bounds[0]), np.abs(bounds[1]))[varies]
    found = _solved(
        tuple(mult[varies].tolist()),
        tuple(shift[varies].tolist()),
        zero_point,
        clamp,
        tuple(np.minimum(INT16_MAX // largest_weights[varies], _FACTOR).tolist()),
        tuple(int(r).bit_length() for r in reach),
        once,
    )
    if found is None:
        return None
    last, solved = found
    low, high = bounds_beside_saturation(clamp)
    entries = iter(solved)
    result: list[Linear | None] = []
    for channel_varies, constant in zip(varies.tolist(), constants.tolist(), strict=True):
        numbers = next(entries) if channel_varies else (1, constant << (last + 2), 1 << (_WORD - 2))
        if numbers is None:
            result.append(None)
        else:
            factor, offset, mult = numbers
            result.append(Linear(factor, offset, mult, last, low, high))
    return tuple(result)


@lru_cache(maxsize=1 << 12)
def _solved(
    multipliers: tuple[int, ...],
    shifts: tuple[int, ...],
    zero_point: int,
    clamp: tuple[int, int],
    factors: tuple[int, ...],
    reach_bits: tuple[int, ...],
    once: bool,
) -> tuple[int, tuple[tuple[int, int, int] | None, ...]] | None:
    """The last shift; factor, offset and multiplier of each channel that has them.

    Args:
        multipliers: Of the reference.
        shifts: Likewise.
        zero_point: Of the output.
        clamp: Its bounds.
        factors: The largest that weights allow.
        reach_bits: Of the largest accumulators.
        once: Whether the reference rounds once.
    """
    if not multipliers:
        return _LARGEST_SHIFT, ()
    mult, shift = np.array(multipliers, np.int64), np.array(shifts, np.int64)
    if not (once or clamp[0] >= zero_point) or (mult == 0).any() or (-shift > _LARGEST_RIGHT).any():
        return None
    rate = mult * 2.0 ** (shift - 31.0)
    room = INT32_MAX / (2.0 ** np.array(reach_bits) + 129 / rate)
    most = np.minimum(np.array(factors), np.floor(room)).astype(np.int64)
    least = np.maximum(most * 3 // 4, 1)
    last = min(int(np.floor(np.log2(least * 0.499 / rate).min())), _LARGEST_SHIFT)
    if (most < 1).any() or last < 0:
        return None
    values = np.arange(clamp[0] + 1, clamp[1] + 1)
    steps = _steps(mult, shift, values - zero_point, once=once)
    levels = values << (_WORD + last)
    result = np.zeros((3, len(mult)), np.int64)
    missing = np.arange(len(mult))
    for attempt in range(_TRIES):
        factor = np.maximum(most - attempt * (most - least) // _TRIES, 1)[missing]
        for tilt in _TILTS:
            ideal = rate[missing] * 2.0 ** (_WORD + last) / factor
            tried = np.rint(ideal * (1 + tilt * rate[missing] / 2**17)).astype(np.int64)
            offsets = _offsets(factor, tried, steps[missing], levels)
            fits = offsets[0] <= offsets[1]
            fits &= (tried > 0) & (tried <= INT32_MAX)
            solved = np.stack([factor, (offsets[0] + offsets[1]) // 2, tried])
            result[:, missing[fits]] = solved[:, fits]
            missing, factor = missing[~fits], factor[~fits]
            if not len(missing):
                break
        if not len(missing):
            break
    return last, tuple((int(f), int(o), int(m)) if m else None for f, o, m in result.T)


def _steps(mult: Ints, shift: Ints, above_zero: Ints, *, once: bool) -> Ints:
    """The smallest accumulator of each channel that gives at least so much above the zero point.

    Args:
        mult: Of the reference, [channels].
        shift: Likewise.
        above_zero: Outputs less the zero point; positive where the reference rounds twice.
        once: Whether it rounds once.

    Returns:
        Int64 [channels, values].
    """
    right, left = np.maximum(-shift, 0)[:, None], np.maximum(shift, 0)[:, None]
    n = above_zero[None]
    halves = 2 * n - 1
    if once:
        numerator = halves << (30 + right)
    else:
        rounded = np.where(right > 0, halves << np.maximum(right - 1, 0), n)
        numerator = (2 * rounded - 1) << 30
    return np.asarray(-(-numerator // (mult[:, None] << left)))


def _offsets(factor: Ints, multiplier: Ints, steps: Ints, levels: Ints) -> tuple[Ints, Ints]:
    """The least and the largest offset of each channel with which every step is where it must be.

    (factor * step + offset) * multiplier has to reach the level, (factor * (step - 1) + offset) * multiplier not.
    """
    if not len(levels):
        return np.zeros_like(factor), np.zeros_like(factor)
    needed: NDArray[np.int64] = -(-levels[None] // multiplier[:, None]) - factor[:, None] * steps
    return needed.max(axis=1), needed.min(axis=1) + factor - 1
