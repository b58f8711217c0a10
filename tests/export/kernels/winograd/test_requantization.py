"""The lean form's constants give the reference's output for every accumulator."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from export.kernels.requantize import Scaling
from export.kernels.winograd.requantization import last_shift, solve

_INT32 = 1 << 31


@st.composite
def scalings(draw: st.DrawFn) -> tuple[Scaling, int]:
    """Up to three channels whose outputs lie around int8, and a denominator."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    channels = draw(st.integers(1, 3))
    shift = draw(st.integers(4, 12))
    denominator = draw(st.sampled_from([24, 64, 576]))
    reach = min(int(draw(st.sampled_from([1.0, 30.0, 400.0])) * 2.0**shift), _INT32 // denominator - 1)
    zero_point = draw(st.sampled_from([-128, -3, 0, 17, 127]))
    relu = draw(st.booleans())
    clamp = (zero_point if relu else -128, draw(st.sampled_from([127, 100 if zero_point < 100 else 127])))
    return (
        Scaling(
            mult=rng.integers(1 << 30, _INT32, channels),
            shift=-np.full(channels, shift) - rng.integers(0, 2, channels),
            zero_point=zero_point,
            clamp=clamp,
            least=-rng.integers(0, reach + 1, channels),
            most=rng.integers(0, reach + 1, channels),
        ),
        denominator,
    )


@settings(max_examples=150)
@given(scalings())
def test_every_accumulator_gives_the_reference_output(drawn: tuple[Scaling, int]) -> None:
    scaling, denominator = drawn
    last = last_shift(scaling, denominator)
    found = solve(scaling, denominator, last)
    if found is None:
        return
    for channel in range(len(scaling.mult)):
        multiplier, addend, correction = (int(values[channel]) for values in found)
        accumulators = np.arange(scaling.least[channel], scaling.most[channel] + 1)
        one = scaling.of(np.arange(len(scaling.mult)) == channel)
        high = (denominator * accumulators * multiplier) >> 32
        level = (high + addend + correction * (accumulators < 0)) >> last
        assert 0 < multiplier < _INT32
        assert np.abs(high + addend).max() < _INT32
        np.testing.assert_array_equal(
            np.clip(np.clip(level, -128, 127), *scaling.clamp), one.outputs(accumulators[None])[0]
        )


def test_most_layers_have_constants() -> None:
    """What a ReLU or a linear layer of usual scales needs; None would cost cycles, not bytes."""
    rng = np.random.default_rng(0)
    found = 0
    for trial in range(40):
        signed = trial % 2 == 0
        scaling = Scaling(
            mult=rng.integers(1 << 30, _INT32, 64),
            shift=np.full(64, -9),
            zero_point=-128 if not signed else int(rng.integers(-100, 100)),
            clamp=(-128, 127),
            least=np.full(64, -60_000),
            most=np.full(64, 60_000),
        )
        found += solve(scaling, 576, last_shift(scaling, 576)) is not None
    assert found >= 38
