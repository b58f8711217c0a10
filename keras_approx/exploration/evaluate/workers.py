"""Evaluates designs in this process, or in those of an executor, which get the problem once and keep it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from cachetools import LRUCache

from keras_approx.errors import ExplorationError, OptionError
from keras_approx.exploration.evaluate.evaluator import Evaluator, Outcome, Work
from keras_approx.exploration.evaluate.packing import PackedModel, unpack_model
from keras_approx.exploration.evaluate.scoring import Scorer
from keras_approx.training.eliminate import Refit

_KEPT = 2  # evaluators in a worker
_evaluators: LRUCache[str, Evaluator] = LRUCache(_KEPT)
_lock = threading.Lock()


@dataclass(frozen=True)
class Problem:
    """All that evaluating takes.

    Attributes:
        fingerprint: Names it.
        model: The wrapped model, without masks.
        images: Validation inputs in the order in which to look at them, float32; a tuple of them for several inputs.
        labels: What the metric compares their outputs with.
        scorer: The metric.
        confidence: See Evaluator.
        recalibration: See Evaluator.
        refits: See Evaluator.
    """

    fingerprint: str
    model: PackedModel
    images: Any
    labels: np.ndarray
    scorer: Scorer
    confidence: float
    recalibration: tuple[Any, ...] = ()
    refits: Mapping[str, Refit] = field(default_factory=dict)

    def evaluator(self) -> Evaluator:
        """A new evaluator."""
        return Evaluator(
            unpack_model(self.model),
            self.images,
            self.labels,
            self.scorer,
            confidence=self.confidence,
            recalibration=self.recalibration,
            refits=self.refits,
        )


def evaluate_remotely(fingerprint: str, work: Work, problem: Problem | None = None) -> list[Outcome] | None:
    """What executors run.

    Args:
        fingerprint: Of the problem.
        work: The designs.
        problem: The problem itself, if the worker might not know it.

    Returns:
        The outcomes; None if the worker does not know the problem.
    """
    with _lock:  # a thread pool's threads share the evaluator
        if fingerprint not in _evaluators:
            if problem is None:
                return None
            _evaluators[fingerprint] = problem.evaluator()
        return list(_evaluators[fingerprint].evaluate(work))


class Runner:
    """Evaluates work piece by piece.

    Args:
        problem: The problem.
        executor: Whose processes do the work; None for this one.
        chunk: Designs that an executor's task evaluates.

    Raises:
        OptionError: If the executor forks processes, or chunk is not positive.
    """

    def __init__(self, problem: Problem, executor: Executor | None, chunk: int) -> None:
        if chunk < 1:
            raise OptionError(f"chunk must be at least 1 design, got {chunk}")
        if executor is not None and not isinstance(executor, Executor):
            raise OptionError(
                f"executor must be a concurrent.futures.Executor, got {type(executor).__name__}: of a Dask client give "
                "client.get_executor()"
            )
        if executor is not None and _forks(executor):
            raise OptionError(
                "a forked process of one that uses TensorFlow hangs: give the executor "
                "mp_context=multiprocessing.get_context('spawn')"
            )
        self._problem = problem
        self._executor = executor
        self._chunk = chunk
        self._evaluator: Evaluator | None = None

    def run(self, work: Work) -> Iterator[Outcome]:
        """Evaluates designs; outcomes come as they are known, in any order.

        Raises:
            ExplorationError: If the executor broke.
        """
        if self._executor is not None:
            yield from self._run_on(self._executor, work)
            return
        if self._evaluator is None:
            self._evaluator = self._problem.evaluator()
        yield from self._evaluator.evaluate(work)

    def _run_on(self, executor: Executor, work: Work) -> Iterator[Outcome]:
        order = np.lexsort(work.rows.T[::-1])
        chunks = [order[start : start + self._chunk] for start in range(0, len(order), self._chunk)]
        waiting: dict[Future[list[Outcome] | None], _Task] = {}

        def submit(task: _Task, problem: Problem | None) -> None:
            waiting[executor.submit(evaluate_remotely, self._problem.fingerprint, task.work, problem)] = task

        try:
            for chunk in chunks:
                submit(_Task(chunk, _part(work, chunk)), None)
            while waiting:
                done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in sorted(done, key=_failed):  # what succeeded is to be kept first
                    task = waiting.pop(future)
                    if task.may_fail and _failed_once(future):
                        submit(replace(task, may_fail=False), self._problem)
                        continue
                    outcomes = future.result()
                    if outcomes is None:
                        submit(task, self._problem)
                        continue
                    for outcome in outcomes:
                        yield Outcome(
                            int(task.chunk[outcome.row]), outcome.score, outcome.images, outcome.distortion
                        )
        except (BrokenExecutor, CancelledError) as error:
            raise ExplorationError(
                f"the executor broke, probably because one of its processes was killed "
                f"({type(error).__name__}: {error}); what was evaluated is kept: explore again with a new "
                "executor and the same out= to continue"
            ) from error
        finally:
            for future in waiting:
                future.cancel()


def _forks(executor: Executor) -> bool:
    context = executor._mp_context if isinstance(executor, ProcessPoolExecutor) else None
    return context is not None and context.get_start_method() == "fork"


@dataclass(frozen=True)
class _Task:
    """Some designs of the work, by their rows in it, and whether they are tried again if that fails."""

    chunk: np.ndarray
    work: Work
    may_fail: bool = True


def _failed_once(future: Future[list[Outcome] | None]) -> bool:
    """Whether a task failed in a way that may not happen again.

    Dask's executor, for one, raises its own ValueError for a result whose worker was just lost.
    """
    error = None if future.cancelled() else future.exception()
    return isinstance(error, Exception) and not isinstance(error, BrokenExecutor | CancelledError)


def _failed(future: Future[list[Outcome] | None]) -> bool:
    return future.cancelled() or future.exception() is not None


def _part(work: Work, chosen: np.ndarray) -> Work:
    """Some designs of the work, with the masks they need."""
    masks, columns = {}, []
    for (name, table), column in zip(work.masks.items(), work.rows[chosen].T, strict=True):
        used, numbers = np.unique(column, return_inverse=True)
        masks[name] = [table[number] for number in used]
        columns.append(numbers)
    return Work(masks, np.stack(columns, axis=1), work.required[chosen])
