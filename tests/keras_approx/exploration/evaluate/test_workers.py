"""The same records from any executor, also from one that loses a process."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import keras_approx
from keras_approx.errors import ExplorationError, OptionError
from keras_approx.exploration.evaluate import workers
from keras_approx.exploration.front.pareto_front import ParetoFront
from keras_approx.exploration.store import Store
from tests.keras_approx.exploration.problems import VALUES, Small


def _explore(problem: Small, out: Path, executor: Executor | None) -> ParetoFront:
    return keras_approx.explore(
        problem.model,
        out=out,
        search=keras_approx.Grid(),
        values=VALUES,
        chunk=9,
        executor=executor,
        **problem.arguments,
    )


@pytest.fixture(scope="module")
def expected(problem: Small, tmp_path_factory: pytest.TempPathFactory) -> ParetoFront:
    return _explore(problem, tmp_path_factory.mktemp("expected"), None)


class _Forgetful(Executor):
    """Runs tasks here; workers come and go, and those that come know nothing."""

    def __init__(self) -> None:
        self.tasks = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.tasks += 1
        if self.tasks % 8 == 0:
            workers._evaluators.clear()
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def test_threads(problem: Small, expected: ParetoFront, tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as executor:
        assert _explore(problem, tmp_path, executor).evaluated == expected.evaluated


def test_workers_that_forget(problem: Small, expected: ParetoFront, tmp_path: Path) -> None:
    workers._evaluators.clear()
    executor = _Forgetful()
    assert _explore(problem, tmp_path, executor).evaluated == expected.evaluated
    chunks = 1 + 1 + -(-120 // 9)
    assert executor.tasks > chunks + 2


def test_a_task_that_fails_is_tried_again(problem: Small, expected: ParetoFront, tmp_path: Path) -> None:
    class Unlucky(Executor):
        failed = 0

        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            future: Future[Any] = Future()
            if args[-1] is None:  # tried for the first time
                self.failed += 1
                future.set_exception(ValueError("too many values to unpack"))
            else:
                future.set_result(fn(*args, **kwargs))
            return future

    executor = Unlucky()
    assert _explore(problem, tmp_path, executor).evaluated == expected.evaluated
    assert executor.failed == 1 + 1 + -(-120 // 9)


def test_errors_of_workers_come_through(problem: Small, tmp_path: Path) -> None:
    class Failing(Executor):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_exception(MemoryError("no room"))
            return future

    with pytest.raises(MemoryError, match="no room"):
        _explore(problem, tmp_path, Failing())


def test_what_is_no_executor_is_refused(problem: Small, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"of a Dask client give client\.get_executor\(\)"):
        _explore(problem, tmp_path, object())


def test_pools_that_fork_are_refused(problem: Small, tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    with (
        ProcessPoolExecutor(2, mp_context=fork) as executor,
        pytest.raises(OptionError, match=r"mp_context=multiprocessing.get_context\('spawn'\)"),
    ):
        _explore(problem, tmp_path, executor)


def _after(records: int, monkeypatch: pytest.MonkeyPatch, action: Callable[[], None]) -> None:
    """Does something when so many records were stored."""
    add, count = Store.add, 0

    def counted(self: Store, record: Any) -> None:
        nonlocal count
        add(self, record)
        count += 1
        if count == records:
            action()

    monkeypatch.setattr(Store, "add", counted)


@pytest.mark.slow
def test_a_process_pool_and_one_that_breaks(
    problem: Small, expected: ParetoFront, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn) as executor:

        def kill() -> None:
            [*processes] = executor._processes
            os.kill(processes[0], signal.SIGKILL)

        with monkeypatch.context() as patch:
            _after(20, patch, kill)
            with pytest.raises(ExplorationError, match="explore again with a new executor and the same out="):
                _explore(problem, tmp_path, executor)
    stored = len((tmp_path / "evaluations.jsonl").read_bytes().splitlines()) - 1
    assert 20 <= stored < 125
    with ProcessPoolExecutor(2, mp_context=spawn) as executor:
        assert _explore(problem, tmp_path, executor).evaluated == expected.evaluated


@pytest.mark.slow
def test_dask_loses_a_worker(
    problem: Small, expected: ParetoFront, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        before = set(client.run(os.getpid).values())

        def kill() -> None:
            os.kill(min(before), signal.SIGKILL)

        _after(20, monkeypatch, kill)
        front = _explore(problem, tmp_path, client.get_executor())
        after = set(client.run(os.getpid).values())
    assert min(before) not in after
    assert front.evaluated == expected.evaluated
    assert len((tmp_path / "evaluations.jsonl").read_bytes().splitlines()) == 1 + 125
