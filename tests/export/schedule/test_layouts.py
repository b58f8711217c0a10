"""Readers of one tensor that want different layouts."""

from __future__ import annotations

import numpy as np
import pytest

from export import to_c
from export.artifact.compiling import build_host
from export.frontend.reference import run_reference
from tests.export.models.networks import Layers, random_inputs


@pytest.mark.parametrize("activations", ["int16", "int8"])
@pytest.mark.parametrize("channels", [5, 6])
def test_a_dense_layer_and_a_convolution_read_one_image(tmp_path, activations: str, channels: int) -> None:
    """The convolution wants its channels in pairs or shuffled, the dense layer without gaps and in order."""
    layers = Layers(np.random.default_rng(0))
    x = layers.input((5, 6, 4))
    y = layers.conv(x, channels, (3, 3))
    outputs = [layers.dense(y, 3), layers.depthwise(y, 1, (2, 2)), layers.conv(y, 3, (2, 2))]
    model = layers.builder.finish(x, outputs)
    given = random_inputs((5, 6, 4), 6)
    done = to_c(model, tmp_path / "out", activations=activations)
    for found, wanted in zip(build_host(done.path).run(given), run_reference(model, given), strict=True):
        np.testing.assert_array_equal(found, wanted)
