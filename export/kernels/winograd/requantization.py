"""How the output transform's sums become int8 outputs.

The lean form takes a sum as it is, the outputs times the denominator: the reference's output is a step function of the
accumulator with at most 255 steps, so a multiplier and an addend with the same steps give the same output. They are
found by what each step allows, and every step is checked in exact arithmetic. Where a sum may leave 32 bits, or no
constants are found, the exact form divides first, which takes some instructions more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from export.ir.fixed_point import Ints
from export.kernels.requantize import INT32_MAX, Requantization, Scaling
from export.kernels.winograd.algorithm import Algorithm

_TRIES = 40  # addends tried for a channel
_NEAR = 4  # how far a step may lie from where real numbers put it
_BITS = 32
_LARGEST_SHIFT = 23  # an int8 output shifted to the left still fits 32 bits


@dataclass(frozen=True)
class Form:
    """The instructions of a layer's requantization.

    Attributes:
        lean: Whether sums are scaled without being divided before.
        signed: Whether negative accumulators need a correction.
        shift: The last shift; None where each channel has its own.
        low: Lower bound that saturation to int8 does not give already, or None.
        high: Upper bound likewise.
    """

    lean: bool
    signed: bool
    shift: int | None
    low: int | None
    high: int | None

    @property
    def words(self) -> int:
        """Constants of a channel."""
        if self.lean:
            return 4 if self.signed else 3
        return 6

    @property
    def alike(self) -> Form:
        """One form for all of the same instructions, whatever the amount of their shift: they cost the same."""
        return replace(self, shift=None if self.shift is None else min(1, self.shift))


@dataclass(frozen=True)
class Constants:
    """A form, and its constants.

    Attributes:
        form: The instructions.
        words: int64 [channels, form.words]. Lean: denominator times the bias, multiplier, addend, and what negative
            accumulators add. Exact: twice the bias, multiplier, addend, what negative accumulators add, shift, and
            the inverse of the denominator's odd factor.
    """

    form: Form
    words: Ints


def constants(
    algorithm: Algorithm,
    scaling: Scaling,
    bias: Ints,
    entries: Sequence[Requantization],
) -> Constants | None:
    """Finds a layer's constants.

    Args:
        algorithm: The one that computed the sums.
        scaling: What the outputs are to be.
        bias: [channels], with the input's zero point folded in.
        entries: The requantization of a direct convolution.

    Returns:
        The constants, or None where a sum may leave 32 bits in the exact form, too.
    """
    found = _lean(algorithm, scaling, bias, entries)
    return found if found is not None else _exact(algorithm, scaling, bias, entries)


def _lean(
    algorithm: Algorithm, scaling: Scaling, bias: Ints, entries: Sequence[Requantization]
) -> Constants | None:
    reach = int(np.maximum(np.abs(scaling.least), np.abs(scaling.most)).max())
    if algorithm.denominator * reach > INT32_MAX:
        return None
    # Channels without products give a constant, which their own scale says nothing about.
    varies = np.array([entry.scale_bits > 0 for entry in entries])
    constant = np.array([entry.addend >> 1 for entry in entries], np.int64)
    shift = last_shift(scaling.of(varies), algorithm.denominator)
    if shift < 0:
        return None
    solved = solve(scaling.of(varies), algorithm.denominator, shift)
    if solved is None:
        return None
    multiplier, addend, correction = np.zeros_like(bias), constant << shift, np.zeros_like(bias)
    multiplier[varies], addend[varies], correction[varies] = solved
    columns = [algorithm.denominator * bias, multiplier, addend]
    if scaling.signed:
        columns.append(correction)
    first = entries[0]
    form = Form(True, scaling.signed, shift, first.low, first.high)
    return Constants(form, np.stack(columns, axis=1))


def _exact(
    algorithm: Algorithm, scaling: Scaling, bias: Ints, entries: Sequence[Requantization]
) -> Constants | None:
    """By the constants of a direct convolution, whose accumulators are doubled."""
    reach = np.maximum(np.abs(scaling.least - bias), np.abs(scaling.most - bias)).max()
    if int(reach) * algorithm.power > INT32_MAX or any(entry.scale_bits > 1 for entry in entries):
        return None
    inverse = algorithm.inverse
    rows = [
        (2 * int(b), entry.mult, entry.addend, -1 if entry.mode == "signed" else 0, entry.shift, inverse)
        for b, entry in zip(bias.tolist(), entries, strict=True)
    ]
    form = Form(False, True, None, entries[0].low, entries[0].high)
    return Constants(form, np.array(rows, np.int64))


def last_shift(scaling: Scaling, denominator: int) -> int:
    """The largest shift for which multipliers fit 32 bits, and outputs before it; negative if there is none."""
    rate = (scaling.mult * 2.0 ** (scaling.shift - 31.0)).max(initial=2.0**-40)
    shift = int(np.floor(np.log2(denominator / 2 / rate)))
    shift -= rate * 2.0 ** (shift + _BITS) / denominator >= 2.0**31
    return min(shift, _LARGEST_SHIFT)


def solve(scaling: Scaling, denominator: int, shift: int) -> tuple[Ints, Ints, Ints] | None:
    """Multipliers, addends and corrections that give the reference's output for every accumulator, by channel.

    out = saturated8((high(denominator * a * multiplier) + addend + (correction if a < 0)) >> shift), clamped.

    Args:
        scaling: What the outputs are to be.
        denominator: Of the sums; times any accumulator it must fit 32 bits.
        shift: The last shift, the same for all channels.

    Returns:
        Int64 [channels] each, or None where some channel has no such constants.
    """
    right = -scaling.shift
    if (right < 0).any() or (scaling.signed and (right > shift).any()):
        return None
    correction = -(np.int64(1) << np.maximum(shift - right, 0)) if scaling.signed else np.zeros_like(right)
    values = np.arange(scaling.clamp[0] + 1, scaling.clamp[1] + 1)
    if not len(values):
        return None
    steps = _steps(scaling, values)
    # A step outside of the reachable accumulators only says on which side of it all of them lie.
    above = np.clip(steps, scaling.least[:, None], scaling.most[:, None])
    below = np.clip(steps - 1, scaling.least[:, None], scaling.most[:, None])
    reached, left_out = steps <= scaling.most[:, None], steps > scaling.least[:, None]
    half = 2.0 ** np.maximum(right - 1.0, 0) * (right > 0)
    ideal = ((half + 0.5 + scaling.zero_point * 2.0 ** (1.0 * right)) * 2.0 ** (1.0 * shift - right)).astype(
        np.int64
    )
    multiplier, addend = np.zeros_like(ideal), np.zeros_like(ideal)
    missing = np.arange(len(ideal))
    if not len(missing):
        return multiplier, addend, correction
    for attempt in range(_TRIES):
        offset = (attempt + 1) // 2 * (1 if attempt % 2 else -1)
        tried = ideal[missing] + offset
        target = (values << shift)[None] - tried[:, None]
        guess = _multipliers(
            denominator * above[missing],
            denominator * below[missing],
            target - correction[missing][:, None] * (above[missing] < 0),
            target - correction[missing][:, None] * (below[missing] < 0),
            reached[missing],
            left_out[missing],
        )

        def level(accumulators: Ints, guess: Ints = guess, tried: Ints = tried, of: Ints = missing) -> Ints:
            high = (denominator * accumulators * guess[:, None]) >> _BITS
            return high + tried[:, None] + correction[of][:, None] * (accumulators < 0)

        fits = (guess > 0) & (guess <= INT32_MAX)
        fits &= ((level(above[missing]) >= values << shift) | ~reached[missing]).all(axis=1)
        fits &= ((level(below[missing]) < values << shift) | ~left_out[missing]).all(axis=1)
        multiplier[missing[fits]], addend[missing[fits]] = guess[fits], tried[fits]
        missing = missing[~fits]
        if not len(missing):
            return multiplier, addend, correction
    return None


def _multipliers(
    above: Ints, below: Ints, least: Ints, most: Ints, reached: NDArray[np.bool_], left_out: NDArray[np.bool_]
) -> Ints:
    """The middle of the multipliers that all steps allow: above * x >= least * 2^32 and below * x < most * 2^32."""
    scale = 2.0**_BITS
    with np.errstate(divide="ignore", invalid="ignore"):
        at_least, at_most = least * scale / above, most * scale / below
    low = np.where(reached & (above > 0), at_least, 1.0).max(axis=1)
    low = np.maximum(low, np.where(left_out & (below < 0), at_most, 1.0).max(axis=1))
    high = np.where(left_out & (below > 0), at_most, float(INT32_MAX)).min(axis=1)
    high = np.minimum(high, np.where(reached & (above < 0), at_least, float(INT32_MAX)).min(axis=1))
    return np.asarray(np.floor((low + high) / 2)).astype(np.int64)


def _steps(scaling: Scaling, values: Ints) -> Ints:
    """The smallest accumulator whose output is at least each value: int64 [channels, values]."""
    rate = scaling.mult * 2.0 ** (scaling.shift - 31.0)
    rate = np.where(rate == 0, 1.0, rate)
    middle = ((values[None] - scaling.zero_point - 0.5) / rate[:, None]).round()
    bound = 2.0**40
    start = np.clip(middle, -bound, bound).astype(np.int64)
    low, high = start - _NEAR, start + _NEAR
    limit = np.int64(1) << 31
    free = Scaling(scaling.mult, scaling.shift, scaling.zero_point, (-1 << 40, 1 << 40), low, high)
    wrong = (free.outputs(low) >= values) | (free.outputs(high) < values)
    low, high = np.where(wrong, -limit, low), np.where(wrong, limit, high)
    while (high - low > 1).any():
        half = (low + high) // 2
        reaches = free.outputs(half) >= values
        low, high = np.where(reaches, low, half), np.where(reaches, half, high)
    return high
