"""Two or three instructions give exactly what the reference kernels' arithmetic gives."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from export.ir.fixed_point import multiply_one_rounding, multiply_two_roundings
from export.kernels.requantize import Requantization, plan_requantization

INT32 = range(-(1 << 31), 1 << 31)


def word(value: int) -> int:
    """The value, which must fit a register."""
    assert value in INT32, value
    return value


def requantize(entry: Requantization, accumulator: int) -> int:
    """What SMMLAR or SMMLA, SSAT and the compares make of an accumulator of unscaled weights."""
    scaled = word(accumulator << entry.scale_bits)
    addend = entry.addend + (scaled >> 31 if entry.mode == "signed" else 0)
    rounding = 0 if entry.mode == "floor" else 1 << 31
    high = word(((word(addend) << 32) + scaled * entry.mult + rounding) >> 32)
    value = max(-128, min(127, high >> entry.shift))
    if entry.low is not None:
        value = max(value, entry.low)
    return value if entry.high is None else min(value, entry.high)


def reference(
    accumulator: int, multiplier: tuple[int, int], zero_point: int, clamp: tuple[int, int], once: bool
) -> int:
    multiply = multiply_one_rounding if once else multiply_two_roundings
    value = int(multiply(np.array(accumulator, np.int64), *multiplier)) + zero_point
    return min(max(value, clamp[0]), clamp[1])


@st.composite
def cases(draw: st.DrawFn) -> tuple[tuple[int, int], int, tuple[int, int], tuple[int, int], int, bool]:
    """Multiplier, zero point, clamp, bounds of the accumulator, largest weight, and how often is rounded."""
    mult = draw(st.one_of(st.integers(1 << 30, (1 << 31) - 1), st.sampled_from([0, 1 << 30, (1 << 31) - 1])))
    shift = draw(st.integers(-31, 4))
    zero_point = draw(st.integers(-128, 127))
    low = draw(st.sampled_from([-128, zero_point, draw(st.integers(-128, 127))]))
    high = draw(st.sampled_from([127, draw(st.integers(low, 127))]))
    reach = 1 << draw(st.integers(0, 30))
    bounds = draw(st.integers(-reach, 0)), draw(st.integers(0, reach))
    return (mult, shift), zero_point, (low, high), bounds, draw(st.integers(0, 127)), draw(st.booleans())


@settings(max_examples=300)
@given(case=cases(), data=st.data())
def test_exact_for_every_accumulator_within_bounds(
    case: tuple[tuple[int, int], int, tuple[int, int], tuple[int, int], int, bool], data: st.DataObject
) -> None:
    multiplier, zero_point, clamp, bounds, largest, once = case
    entry = plan_requantization(multiplier, zero_point, clamp, bounds, largest, once=once)
    if entry is None:
        return
    assert largest << entry.scale_bits <= (1 << 15) - 1
    drawn = data.draw(st.lists(st.integers(*bounds), min_size=1, max_size=8))
    for accumulator in {*drawn, *bounds, *(x for x in (-2, -1, 0, 1, 2) if bounds[0] <= x <= bounds[1])}:
        expected = reference(accumulator, multiplier, zero_point, clamp, once)
        assert requantize(entry, accumulator) == expected, accumulator


@settings(max_examples=300)
@given(
    shift=st.integers(-20, 0),
    zero_point=st.integers(-128, 127),
    odd=st.integers(-9, 9),
    once=st.booleans(),
    above=st.sampled_from([-256, -1, 0, 1]),
)
def test_exact_at_and_beside_ties(shift: int, zero_point: int, odd: int, once: bool, above: int) -> None:
    """With a multiplier of one half to the n, odd multiples of half a step lie between two results."""
    multiplier = (1 << 30, shift)
    tie = odd << -shift  # acc * 2^(shift - 1): halves where odd is odd
    clamp = (max(-128, min(127, zero_point + above)), 127)
    bounds = (-abs(tie) - 1, abs(tie) + 1)
    entry = plan_requantization(multiplier, zero_point, clamp, bounds, 127, once=once)
    assert entry is not None
    for accumulator in (tie - 1, tie, tie + 1):
        assert requantize(entry, accumulator) == reference(accumulator, multiplier, zero_point, clamp, once)


def test_the_sign_is_left_out_where_the_clamp_hides_negative_values() -> None:
    def mode(shift: int, clamp: tuple[int, int], *, once: bool = False) -> str:
        entry = plan_requantization((1 << 30, shift), -5, clamp, (-1000, 1000), 127, once=once)
        assert entry is not None
        return entry.mode

    assert mode(-4, (-128, 127)) == "signed"
    assert mode(-4, (-5, 127)) == "round"
    assert mode(0, (-128, 127)) == "round"
    assert mode(-4, (-128, 127), once=True) == "floor"


def test_bounds_that_saturation_gives_are_not_repeated() -> None:
    entry = plan_requantization((1 << 30, -4), 0, (-128, 127), (-1000, 1000), 127, once=False)
    assert entry is not None
    assert (entry.low, entry.high) == (None, None)
    entry = plan_requantization((1 << 30, -4), 0, (0, 100), (-1000, 1000), 127, once=False)
    assert entry is not None
    assert (entry.low, entry.high) == (0, 100)


def test_numbers_that_do_not_fit_are_refused() -> None:
    def fits(bounds: tuple[int, int], largest: int, shift: int) -> bool:
        return plan_requantization((1 << 30, shift), 0, (-128, 127), bounds, largest, once=False) is not None

    assert fits((-(1 << 29), 1 << 29), 127, -3)
    assert not fits((-(1 << 30), 0), 127, 0)  # doubled, and its half beside the addend
    assert fits((-1000, 1000), 127, 7)
    assert not fits((-1000, 1000), 128, 7)  # a weight would leave 16 bits
