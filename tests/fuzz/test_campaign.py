"""A short campaign from fixed seeds, and that a campaign sees what it is for."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest

from tests.fuzz.campaign import Case, Kind, run_campaign, run_case, table
from tests.fuzz.kinds import KINDS

_CASES = {"models": 30, "networks": 1, "arm": 1, "archives": 8, "kills": 20}
_SLOW = ("archives",)  # TensorFlow is loaded and makes models first


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in _SLOW else ()) for name in KINDS]
)
def test_nothing_is_found_in_a_few_cases(name: str) -> None:
    tallies = run_campaign([KINDS[name]], 1, 300, lambda text: None, most=_CASES.get(name, 40))
    assert not tallies[name].findings, table(tallies)
    assert tallies[name].cases > 0


def _raises(rng: np.random.Generator) -> str:
    raise KeyError(int(rng.integers(10)))


def _waits(rng: np.random.Generator) -> str:
    time.sleep(60)
    return "late"


def _works(rng: np.random.Generator) -> str:
    while True:
        pass


def _dies(rng: np.random.Generator) -> str:
    os.kill(os.getpid(), 9)
    return "alive"


def _takes_memory(rng: np.random.Generator) -> str:
    return str(np.ones(1 << 30).sum())


@pytest.mark.parametrize(
    ("case", "found"),
    [
        (_raises, "KeyError"),
        (_waits, "not finished after 1 seconds"),
        (_works, "more than 1 seconds of work"),
        (_dies, "ended by signal 9"),
        (_takes_memory, "Error: Unable to allocate"),
    ],
)
def test_what_is_a_finding(case: Case, found: str) -> None:
    word, finding, _ = run_case(
        Kind("kind", case, seconds=1, megabytes=1000, waited=1 if case is _waits else 60), 5
    )
    assert word == ""
    assert finding is not None
    assert found in str(finding)
    assert "--kind kind --case 5" in str(finding)


def test_cases_follow_from_the_seed() -> None:
    seen = Kind("kind", lambda rng: f"ended{rng.integers(5)}", seconds=10)
    first, again, other = (
        run_campaign([seen], seed, 60, lambda text: None, most=8)["kind"].endings for seed in (1, 1, 2)
    )
    assert first == again != other
    assert sum(first.values()) == 8
