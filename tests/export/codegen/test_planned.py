"""Convolutions and dense layers of any geometry: the C gives the reference kernels' bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.analysis.interpreter import run
from export.api import to_c
from export.artifact.compiling import build_host
from export.frontend import read_tflite
from export.frontend.reference import run_reference
from tests.export.models.model_builder import ModelBuilder


@st.composite
def convolutions(draw: st.DrawFn) -> bytes:
    """A model of one convolution, maybe with a max pool behind it."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kernel = (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    height, width = draw(st.integers(kernel[0], 9)), draw(st.integers(kernel[1], 9))
    channels, filters = draw(st.integers(1, 9)), draw(st.integers(1, 11))
    stride = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    dilated = stride == (1, 1) and height >= 2 * kernel[0] and width >= 2 * kernel[1] and draw(st.booleans())
    per_channel = draw(st.booleans())
    relu = draw(st.sampled_from(["none", "relu", "relu6"]))
    builder = ModelBuilder()
    x = builder.tensor((1, height, width, channels), 0.02, draw(st.integers(-128, 127)))
    weights = rng.integers(-127, 128, (filters, *kernel, channels)).astype(np.int8)
    weights[rng.random(weights.shape) < draw(st.sampled_from([0.0, 0.3, 0.8, 1.0]))] = 0
    scales = rng.uniform(0.001, 0.03, filters).tolist() if per_channel else [0.01]
    bias = rng.integers(-3000, 3000, filters).astype(np.int32)
    y = builder.conv(
        x,
        weights,
        bias,
        weight_scales=scales,
        scale=draw(st.sampled_from([0.0001, 0.004, 0.02, 0.3])),
        zero_point=draw(st.sampled_from([-128, -5, 127])),
        stride=stride,
        dilation=(2, 2) if dilated else (1, 1),
        padding=draw(st.sampled_from(["SAME", "VALID"])),
        activation=relu,
    )
    if y.shape[1] >= 2 and y.shape[2] >= 2 and draw(st.booleans()):
        y = builder.pool("max", y, (2, 2), (2, 2))
    return builder.finish(x, y)


@st.composite
def dense_layers(draw: st.DrawFn) -> bytes:
    """A model of one fully connected layer."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    inputs, outputs = draw(st.integers(1, 70)), draw(st.integers(1, 20))
    builder = ModelBuilder()
    x = builder.tensor((1, inputs), 0.02, draw(st.integers(-128, 127)))
    weights = rng.integers(-127, 128, (outputs, inputs)).astype(np.int8)
    weights[rng.random(weights.shape) < draw(st.sampled_from([0.0, 0.3, 0.8, 1.0]))] = 0
    y = builder.dense(
        x,
        weights,
        rng.integers(-3000, 3000, outputs).astype(np.int32) if draw(st.booleans()) else None,
        weight_scales=rng.uniform(0.001, 0.03, outputs).tolist() if draw(st.booleans()) else [0.01],
        scale=draw(st.sampled_from([0.0001, 0.004, 0.02, 0.3])),
        zero_point=draw(st.sampled_from([-128, -5, 127])),
        activation=draw(st.sampled_from(["none", "relu", "relu6"])),
    )
    return builder.finish(x, y)


def check(model: bytes, folder: Path) -> None:
    """Host build, interpreter and reference kernels agree on random and extreme inputs."""
    graph = read_tflite(model)
    shape = graph.tensors[graph.input].shape[1:]
    inputs = np.random.default_rng(0).integers(-128, 128, (6, *shape)).astype(np.int8)
    inputs[0], inputs[1] = -128, 127
    expected = run_reference(model, inputs)
    np.testing.assert_array_equal(run(graph, inputs), expected)
    to_c(model, folder)
    np.testing.assert_array_equal(build_host(folder, sanitize=True).run(inputs), expected)


@given(model=convolutions())
def test_convolution_gives_reference_bytes(model: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    check(model, tmp_path_factory.mktemp("conv") / "out")


@given(model=dense_layers())
def test_dense_gives_reference_bytes(model: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    check(model, tmp_path_factory.mktemp("dense") / "out")
