"""Exports to report on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import export
from tests.export.models.networks import Layers


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A network without zeros and one with half of its weights zero, both with a sum of two branches."""
    folders = {}
    for name, zeros in (("exact", 0.0), ("half", 0.5)):
        network = Layers(np.random.default_rng(4), zeros)
        x = network.input((9, 9, 3))
        y = network.pool(network.conv(x, 8, activation="relu"))
        y = network.add(network.conv(y, 8), network.conv(y, 8, (1, 1)))
        tflite = network.builder.finish(x, network.dense(network.pool(y, "average"), 5))
        folders[name] = export.to_c(tflite, tmp_path_factory.mktemp("report") / name).path
    return folders
