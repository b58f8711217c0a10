"""The small problem and its whole front, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from keras_approx.exploration.front.pareto_front import ParetoFront
from tests.keras_approx.exploration.problems import Small, explored, small


@pytest.fixture(scope="package")
def problem() -> Small:
    return small()


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("whole")


@pytest.fixture(scope="package")
def whole(problem: Small, folder: Path) -> ParetoFront:
    return explored(problem, folder)


@pytest.fixture(scope="package")
def content(whole: ParetoFront, folder: Path) -> bytes:
    """The content of the whole front's store."""
    return (folder / "evaluations.jsonl").read_bytes()
