"""Thresholds of layers in the histogram of significance."""

from __future__ import annotations

import dataclasses

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from export.reporting.sections.significance import threshold
from keras_approx.exploration.design import Design
from tests.export.reporting import fronts


@given(share=st.floats(0.02, 0.98), seed=st.integers(0, 5))
def test_threshold_of_a_fraction_parts_the_histogram(share, seed):
    edges = np.geomspace(1e-6, 1, 41)
    counts = np.random.default_rng(seed).integers(1, 200, 40)
    record = fronts.record(["layer"], [share])
    at = threshold({"edges": edges.tolist(), "counts": counts.tolist()}, record, "layer")
    assert at is not None
    above = counts[edges[:-1] >= at].sum()
    reached = counts[edges[1:] > at].sum()
    assert above <= share * counts.sum() + 1e-6 * counts.sum() <= reached + 2e-6 * counts.sum()


def test_thresholds_are_themselves_and_exact_layers_have_none():
    histogram = {"edges": [0.1, 1, 10], "counts": [3, 4]}
    record = fronts.record(["layer"], [1.0])
    assert threshold(histogram, record, "layer") is None
    chosen = dataclasses.replace(record, design=Design("threshold", "pair", {"layer": 0.7}))
    assert threshold(histogram, chosen, "layer") == 0.7
    assert threshold(histogram, chosen, "other") is None
