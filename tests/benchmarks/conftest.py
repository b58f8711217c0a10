"""Makes the example networks importable, the way the benchmarks import them, and small data for benchmarks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))

from tests.benchmarks import tiny


@pytest.fixture
def images(tmp_path: Path) -> str:
    """The path of a file of few images, for --data."""
    path = tmp_path / "small.npz"
    tiny.write_images(path)
    return str(path)
