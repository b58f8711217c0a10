"""explore goes on from what its store has: the same front wherever it was cut short, and no other problem's."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import keras_approx
from keras_approx import Budget, Evolve, Search
from keras_approx.errors import StoreError
from keras_approx.exploration.front.file import load_front
from keras_approx.exploration.front.pareto_front import ParetoFront
from tests.keras_approx import models
from tests.keras_approx.exploration.problems import SMALL, Small, explored, price


@pytest.mark.parametrize("left", [0.0, 0.03, 0.5, 0.97])
def test_a_torn_store_gives_the_same_front(
    problem: Small, whole: ParetoFront, content: bytes, tmp_path: Path, left: float
) -> None:
    """Wherever it ends, an earlier exploration saves what it did, and changes nothing else."""
    store = tmp_path / "evaluations.jsonl"
    store.write_bytes(content[: int(left * len(content))])
    assert explored(problem, tmp_path).evaluated == whole.evaluated
    kept = content[: int(left * len(content))]
    assert store.read_bytes().startswith(kept[: kept.rfind(b"\n") + 1])
    assert len(store.read_bytes().splitlines()) == len(content.splitlines())


class _Interrupted:
    """A price that is interrupted, as by Ctrl-C, when it is asked so many times."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self, masks: Mapping[str, np.ndarray]) -> dict[str, float]:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return price(masks)


def test_ctrl_c_leaves_a_state_to_go_on_from(problem: Small, whole: ParetoFront, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        explored(problem, tmp_path, price=_Interrupted(9))
    assert len((tmp_path / "evaluations.jsonl").read_bytes().splitlines()) == 1 + 1 + 4
    assert not (tmp_path / "front.json").exists()
    assert explored(problem, tmp_path).evaluated == whole.evaluated


@pytest.mark.parametrize("search", [Budget(budgets=4, rounds=1), Evolve(population=8, generations=3)])
def test_other_searches_resume_too(problem: Small, tmp_path: Path, search: Search) -> None:
    front = explored(problem, tmp_path, search=search)
    store = tmp_path / "evaluations.jsonl"
    content = store.read_bytes()
    store.write_bytes(content[: 2 * len(content) // 3])
    assert explored(problem, tmp_path, search=search).evaluated == front.evaluated
    assert store.read_bytes().splitlines()[0] == content.splitlines()[0]
    assert front.settings["options"] == vars(search)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"seed": 1}, "seed was 0, is 1"),
        ({"values": [1.0, 0.5]}, "values was"),
        ({"significance": "expected"}, 'significance was "energy", is "expected"'),
        ({"price": lambda masks: {**price(masks), "cycles": 3.0}}, "exact costs was"),
        ({"search": SMALL}, 'search was "grid", is "budget"'),
        ({"confidence": 0.99}, "confidence was 0.999, is 0.99"),
    ],
)
def test_a_store_of_another_problem(
    problem: Small, content: bytes, tmp_path: Path, options: dict[str, Any], says: str
) -> None:
    (tmp_path / "evaluations.jsonl").write_bytes(content)
    with pytest.raises(StoreError, match=says):
        explored(problem, tmp_path, **options)


def test_other_images_or_weights_are_another_problem(problem: Small, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "evaluations.jsonl").write_bytes(content)
    with pytest.raises(StoreError, match="validation was"):
        explored(dataclasses.replace(problem, labels=problem.labels[::-1]), tmp_path)
    with pytest.raises(StoreError, match="calibration was"):
        explored(dataclasses.replace(problem, calibration=problem.calibration[1:]), tmp_path)
    model = keras_approx.wrap(models.randomize(models.small(), seed=8), compensate=True)
    keras_approx.calibrate(model, problem.calibration, verbose=False)
    with pytest.raises(StoreError, match="model was"):
        explored(dataclasses.replace(problem, model=model), tmp_path)


_PROGRAM = """
import sys, keras_approx
from tests.keras_approx.exploration.problems import small
problem = small()
grid = {{"search": keras_approx.Grid(), "values": {values}}}
front = keras_approx.explore(problem.model, out=sys.argv[1], **grid, **problem.arguments)
"""


@pytest.mark.slow
def test_killed_at_any_moment(tmp_path: Path) -> None:
    """SIGKILL while it runs, several times; then it is run to its end, and compared with one that was not killed."""
    program = _PROGRAM.format(values=[1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3])
    store = tmp_path / "killed" / "evaluations.jsonl"
    seen = 0
    for more in (1, 60, 150):
        process = subprocess.Popen([sys.executable, "-c", program, str(store.parent)])
        while process.poll() is None and (
            not store.exists() or store.read_bytes().count(b"\n") < seen + more
        ):
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        left = store.read_bytes().count(b"\n")
        assert left >= seen + more
        seen = left
    subprocess.run([sys.executable, "-c", program, str(store.parent)], check=True)
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "whole")], check=True)
    killed, whole = (load_front(tmp_path / name / "front.json") for name in ("killed", "whole"))
    assert killed.evaluated == whole.evaluated
    assert len(whole.evaluated) == 8**3
