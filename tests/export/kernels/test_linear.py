"""One multiplication gives what the reference kernels' arithmetic gives, for every accumulator within bounds."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from export.ir.fixed_point import Ints, multiply_one_rounding, multiply_two_roundings
from export.kernels.linear import Linear, linear_requantization

INT32_MAX = (1 << 31) - 1


def outputs(entry: Linear, accumulators: Ints) -> Ints:
    """What SMMUL, SSAT and the compares make of them."""
    scaled = entry.factor * accumulators + entry.offset
    assert np.abs(scaled).max() <= INT32_MAX
    values = np.clip(((scaled * entry.mult) >> 32) >> entry.shift, -128, 127)
    return np.clip(values, entry.low, entry.high)


def reference(
    accumulators: Ints, multiplier: tuple[int, int], zero_point: int, clamp: tuple[int, int], once: bool
) -> Ints:
    multiply = multiply_one_rounding if once else multiply_two_roundings
    return np.clip(multiply(accumulators, *multiplier) + zero_point, *clamp)


@settings(max_examples=60)
@given(st.data())
def test_exact_for_every_accumulator(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 20)))
    channels, once = data.draw(st.integers(1, 12)), data.draw(st.booleans())
    zero_point = data.draw(st.one_of(st.just(-128), st.integers(-128, 127)))
    low = data.draw(st.sampled_from([-128, zero_point] if once else [zero_point, min(zero_point + 3, 127)]))
    clamp = low, data.draw(st.sampled_from([127, max(low, 60)]))
    first = data.draw(st.integers(-14, 1))
    multipliers = [
        (int(rng.integers(1 << 30, 1 << 31)), min(first + int(rng.integers(-3, 1)), 3))
        for _ in range(channels)
    ]
    reach = 1 << data.draw(st.integers(8, 19))
    bounds = -rng.integers(1, reach, channels), rng.integers(1, reach, channels)
    largest = rng.integers(0, 129, channels)
    constants = rng.integers(clamp[0], clamp[1] + 1, channels)
    entries = linear_requantization(
        multipliers, zero_point, clamp, bounds, largest, constants=constants, once=once
    )
    if entries is None:
        return
    assert len({entry.shift for entry in entries if entry is not None}) <= 1
    for channel, entry in enumerate(entries):
        if entry is None:
            continue
        if largest[channel] == 0:
            assert outputs(entry, np.zeros(1, np.int64)) == constants[channel]
            continue
        assert largest[channel] * entry.factor <= (1 << 15) - 1
        accumulators = np.arange(bounds[0][channel], bounds[1][channel] + 1)
        expected = reference(accumulators, multipliers[channel], zero_point, clamp, once)
        np.testing.assert_array_equal(outputs(entry, accumulators), expected)


def found(zero_point: int, low: int, *, once: bool = False, reach: int = 300_000, largest: int = 127) -> int:
    """How many channels of ten layers of 64 have constants."""
    rng = np.random.default_rng(0)
    total = 0
    for _ in range(10):
        multipliers = [(int(rng.integers(1 << 30, 1 << 31)), int(rng.integers(-10, -7))) for _ in range(64)]
        bounds = np.full(64, -reach), np.full(64, reach)
        entries = linear_requantization(
            multipliers,
            zero_point,
            (low, 127),
            bounds,
            np.full(64, largest),
            constants=np.zeros(64, np.int64),
            once=once,
        )
        total += sum(entry is not None for entry in entries or ())
    return total


def test_usual_channels_have_constants() -> None:
    """One in some thousand channels has its steps too close to where a line leaves them."""
    assert found(-128, -128) >= 638
    assert found(-5, -5) >= 638
    assert found(20, -128, once=True) >= 635


def test_layers_without_constants() -> None:
    """Outputs of negative accumulators round another way; sums of 30 bits leave no room for a factor."""
    assert found(-5, -128) == 0
    assert found(-128, -128, reach=1 << 30) == 0
