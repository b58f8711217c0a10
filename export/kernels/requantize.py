"""How an accumulator becomes an int8 value in two or three instructions, exactly as the reference kernels round.

Convolutions round twice: y = round(2 * acc * mult / 2^32), then y / 2^e to the nearest, ties away from zero. SMMLAR
gives the first step when the accumulator is already doubled, and adds a constant to the result on the way: half of
2^e for the second rounding, and the output's zero point at the same place. The doubling costs nothing, since weights
are constants: weights and bias are multiplied by 2^(1 + left shift) when the code is written. Ties of negative values
are mended by adding the accumulator's sign, which is left out where the clamp hides negative values anyway.

FULLY_CONNECTED rounds once, ties up: (acc * mult + 2^(30 + e)) >> (31 + e). With e >= 2, which a scaled accumulator
can always reach, the rounding constant has no part in the low word, so SMMLA, which drops that word, is exact.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from export.ir.fixed_point import Ints, multiply_two_roundings

INT32_MAX = (1 << 31) - 1
INT16_MAX = (1 << 15) - 1


@dataclass(frozen=True)
class Requantization:
    """Constants of one output channel: q = saturate8((high(acc * mult) + addend) >> shift).

    Attributes:
        scale_bits: Weights and bias are multiplied by 2^scale_bits.
        mult: The multiplier, int32.
        addend: Rounding constant and zero point, int32.
        shift: Final right shift, 0 to 31.
        mode: "round" (SMMLAR), "signed" (SMMLAR and the sign of the accumulator) or "floor" (SMMLA).
        low: Lower clamp bound that saturation to int8 does not give already, or None.
        high: Upper clamp bound likewise.
    """

    scale_bits: int
    mult: int
    addend: int
    shift: int
    mode: str
    low: int | None
    high: int | None

    @property
    def factor(self) -> int:
        """What weights and bias are multiplied by."""
        return 1 << self.scale_bits

    @property
    def offset(self) -> int:
        """What is added to the bias after that."""
        return 0


def plan_requantization(
    multiplier: tuple[int, int],
    zero_point: int,
    clamp: tuple[int, int],
    bounds: tuple[int, int],
    largest_weight: int,
    *,
    once: bool,
) -> Requantization | None:
    """Finds the constants for one channel.

    Args:
        multiplier: (mult, shift) of `fixed_point.conv_multipliers`.
        zero_point: Of the output.
        clamp: Inclusive bounds of the quantized output.
        bounds: Least and largest accumulator any int8 input can give, bias included.
        largest_weight: Largest magnitude among the channel's weights.
        once: One rounding (FULLY_CONNECTED) instead of two.

    Returns:
        The constants, or None where the accumulator would leave 32 bits or the weights 16 bits once scaled.
    """
    mult, shift = multiplier
    if mult == 0:
        shift = 0
    if once:
        scale_bits = max(0, 2 + shift)
        right = scale_bits - shift
        addend, final, mode = (1 << (right - 2)) + (zero_point << (right - 1)), right - 1, "floor"
    else:
        scale_bits = 1 + max(0, shift)
        final = max(0, -shift)
        addend = (1 << (final - 1) if final else 0) + (zero_point << final)
        mode = "round" if final == 0 or clamp[0] >= zero_point else "signed"
    reach = max(abs(bounds[0]), abs(bounds[1])) << scale_bits
    # The high word is at most half the accumulator, so its sum with the addend stays in 32 bits if this holds.
    fits = reach <= INT32_MAX and largest_weight << scale_bits <= INT16_MAX
    if not fits or not 0 <= final <= 31 or reach // 2 + abs(addend) + 1 > INT32_MAX:
        return None
    return Requantization(scale_bits, mult, addend, final, mode, *bounds_beside_saturation(clamp))


def constant_requantization(value: int, clamp: tuple[int, int], *, once: bool) -> Requantization:
    """The constants for a channel that always gives the same value, within the clamp; its accumulator must be 0.

    Its own scale says nothing, and may be too small for the kernels.
    """
    return Requantization(0, 0, 2 * value, 1, "floor" if once else "round", *bounds_beside_saturation(clamp))


def bounds_beside_saturation(clamp: tuple[int, int]) -> tuple[int | None, int | None]:
    """Bounds that saturation to int8 does not give already."""
    return (None if clamp[0] <= -128 else clamp[0]), (None if clamp[1] >= 127 else clamp[1])


@dataclass(frozen=True)
class Scaling:
    """What the reference makes of accumulators a: clamp(zero_point + a * mult * 2^(shift - 31), rounded twice).

    Attributes:
        mult: int64 [channels].
        shift: int64 [channels].
        zero_point: Of the output.
        clamp: Inclusive bounds of the output.
        least: int64 [channels], the smallest accumulator, bias included.
        most: The largest.
    """

    mult: Ints
    shift: Ints
    zero_point: int
    clamp: tuple[int, int]
    least: Ints
    most: Ints

    def outputs(self, accumulators: Ints) -> Ints:
        """The outputs of accumulators [channels, n]."""
        scaled = multiply_two_roundings(accumulators, self.mult[:, None], self.shift[:, None])
        return np.clip(scaled + self.zero_point, *self.clamp)

    def of(self, channels: NDArray[np.bool_]) -> Scaling:
        """That of some channels."""
        return replace(
            self,
            mult=self.mult[channels],
            shift=self.shift[channels],
            least=self.least[channels],
            most=self.most[channels],
        )

    @property
    def signed(self) -> bool:
        """Whether outputs of negative accumulators show, so that it matters how their ties are rounded."""
        return self.clamp[0] < self.zero_point
