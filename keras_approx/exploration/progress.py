"""The progress line of an exploration: designs done, time left, and the best found so far."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TextIO

from keras_approx.exploration.quality import ACCURACY, losses, shown
from keras_approx.exploration.records import EvaluatedDesign, within
from keras_approx.progress import Line


class ExplorationProgress:
    """Shows how far an exploration is: on a terminal in place, elsewhere a line now and then.

    Args:
        exact: The design that keeps everything.
        objective: Name of the cost to show.
        enabled: Whether to show anything.
        metric: Name of the score.
        stream: Where; None for standard error.
    """

    def __init__(
        self,
        exact: EvaluatedDesign,
        objective: str,
        enabled: bool,
        *,
        metric: str = ACCURACY,
        stream: TextIO | None = None,
    ) -> None:
        self._exact = exact
        self._objective = objective
        self._enabled = enabled
        self._metric = metric
        self._losses = losses(metric, exact.score)
        self._line = Line(stream)
        self._begin = time.monotonic()
        self._best: dict[str, float] = {}
        self._done = self._left = 0
        self._known = 1
        self._improve(exact)

    def expect(self, left: int) -> None:
        """How many designs are to come, about."""
        self._left = left

    def restore(self, records: Sequence[EvaluatedDesign]) -> None:
        """Designs that were known already."""
        self._known += len(records)
        for record in records:
            self._improve(record)

    def update(self, record: EvaluatedDesign) -> None:
        """A design was evaluated."""
        self._done += 1
        if self._done == 1:  # what went before was preparation, which says nothing of those to come
            self._begin = time.monotonic()
        self._left = max(self._left - 1, 0)
        self._improve(record)
        if self._enabled and self._line.is_due():
            self._show()

    def finish(self) -> None:
        """The last line."""
        if self._enabled:
            self._show()
            self._line.end()

    def _improve(self, record: EvaluatedDesign) -> None:
        if not record.dropped_early:
            cost = record.costs[self._objective]
            for loss in self._losses:
                if within(record, self._exact, loss.drop):
                    self._best[loss.text] = min(cost, self._best.get(loss.text, cost))

    def _show(self) -> None:
        self._line.show(self.line(time.monotonic() - self._begin))

    def line(self, seconds: float) -> str:
        """The line, so many seconds after the first design."""
        rate = (self._done - 1) / seconds if seconds and self._done else 0.0
        done = self._known + self._done
        total = done + self._left
        left = _clock(self._left / rate) if rate else "-:--"
        found = ", ".join(
            f"{f'-{loss.text}' if loss.drop else 'no loss'} {_short(self._best[loss.text])}"
            for loss in self._losses
            if loss.text in self._best
        )
        return (
            f"{done:,}/{total:,} designs, {rate:.1f}/s, {left} left | exact {shown(self._metric, self._exact.score)} "
            f"{_short(self._exact.costs[self._objective])} {self._objective}; {found}"
        )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _short(number: float) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(number) >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.3g}"
