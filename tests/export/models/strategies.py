"""Hypothesis strategies for models of one layer."""

import numpy as np
from hypothesis import strategies as st

from tests.export.models.networks import Layers

SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 6))
PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))
CONTRAST = st.sampled_from([1e-9, 1e-3, 0.3, 1.0, 3.0, 100.0, 1e5])  # from all-zero to saturated outputs
SEEDS = st.integers(0, 2**32)
PADDINGS = st.sampled_from(["SAME", "VALID"])


@st.composite
def layers(draw):
    return Layers(
        np.random.default_rng(draw(SEEDS)), zeros=draw(st.sampled_from([0.0, 0.8])), contrast=draw(CONTRAST)
    )


def fits(size, kernel, dilation, padding):
    return padding == "SAME" or all(
        (k - 1) * d + 1 <= s for s, k, d in zip(size, kernel, dilation, strict=False)
    )
