"""Makes the scripts of `examples/` importable, the way they import each other, and small data for them."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))

import cifar10


@pytest.fixture
def cifar_arrays() -> dict[str, np.ndarray]:
    """What `keras.datasets.cifar10.load_data` returns, for 40 and 20 images; brightness tells the label."""
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for part, n in (("train", 40), ("test", 20)):
        labels = np.arange(n)[:, None] % 10
        noise = rng.integers(0, 25, (n, 32, 32, 3))
        arrays[f"x_{part}"] = (25 * labels[:, :, None, None] + noise).astype(np.uint8)
        arrays[f"y_{part}"] = labels
    return arrays


@pytest.fixture(scope="session")
def subset() -> cifar10.Cifar10:
    """The shipped images."""
    return cifar10.load("subset")


@pytest.fixture
def jpeg_files() -> list[bytes]:
    """Five JPEG files of noise that share their tables."""
    rng = np.random.default_rng(0)
    files = []
    for _ in range(5):
        file = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(file, "jpeg", quality=75)
        files.append(file.getvalue())
    return files
