"""Taps that never meet the image go, and no output byte changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.analysis.interpreter import run
from export.api import estimate
from export.frontend import read_tflite
from export.ir.ops import Conv2D, DepthwiseConv2D, Padding
from export.ir.validate import validate
from export.passes import run_passes
from export.passes.fold_pad import fold_pad
from export.passes.trim_taps import trim_taps
from tests.export.comparison import inputs_of
from tests.export.models.networks import Layers

SIZES, STEPS = st.integers(1, 6), st.integers(1, 9)


@settings(max_examples=150)
@given(st.data())
def test_outputs_stay_whatever_the_window(data: st.DataObject) -> None:
    network = Layers(np.random.default_rng(0))
    draw = data.draw
    x = y = network.input((draw(SIZES), draw(SIZES), 2))
    if draw(st.booleans()):
        y = network.builder.pad(x, ((draw(STEPS), draw(STEPS)), (draw(STEPS), draw(STEPS))))
    kernel, stride, dilation = ((draw(steps), draw(steps)) for steps in (st.integers(1, 4), STEPS, STEPS))
    extent = [(kernel[i] - 1) * dilation[i] + 1 for i in range(2)]
    fits = extent[0] <= y.shape[1] and extent[1] <= y.shape[2]
    padding = draw(st.sampled_from(["SAME", "VALID"])) if fits else "SAME"
    layer: Any = draw(
        st.sampled_from([network.depthwise, lambda x, **options: network.conv(x, 3, **options)])
    )
    options = {"kernel": kernel, "stride": stride, "dilation": dilation, "padding": padding}
    graph = fold_pad(read_tflite(network.builder.finish(x, layer(y, **options))))
    changed = trim_taps(graph)
    validate(changed)
    inputs = inputs_of(graph, 3)
    np.testing.assert_array_equal(run(changed, inputs), run(graph, inputs))
    assert trim_taps(changed) == changed


@pytest.mark.parametrize("dilation", [60, 100, 65536])
def test_only_the_middle_tap_of_a_wide_dilation_is_left(dilation: int) -> None:
    for depthwise in (False, True):
        network = Layers(np.random.default_rng(0))
        x = network.input((60, 60, 2))
        options = {"dilation": (dilation, dilation)}
        y = network.depthwise(x, **options) if depthwise else network.conv(x, 2, **options)
        model = network.builder.finish(x, y)
        (op,) = run_passes(read_tflite(model)).ops
        assert isinstance(op, Conv2D | DepthwiseConv2D)
        assert op.padding == Padding()
        near = estimate(network.builder.finish(x, y)).ram_bytes
        assert near <= 4 * 60 * 60 * 2


def test_a_kernel_that_never_meets_the_image_is_its_bias() -> None:
    network = Layers(np.random.default_rng(0))
    x = network.input((7, 9, 3))
    graph = read_tflite(network.builder.finish(x, network.conv(x, 4, (2, 2), dilation=(20, 1))))
    (op,) = trim_taps(graph).ops
    assert isinstance(op, Conv2D)
    inputs = inputs_of(graph, 4)
    np.testing.assert_array_equal(run(trim_taps(graph), inputs), run(graph, inputs))
    assert trim_taps(graph).constant(op.weights).shape == (4, 1, 1, 3)
