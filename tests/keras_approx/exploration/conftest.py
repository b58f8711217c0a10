"""The small problem, made once."""

from __future__ import annotations

import pytest

from tests.keras_approx.exploration.problems import Small, small


@pytest.fixture(scope="package")
def problem() -> Small:
    return small()
