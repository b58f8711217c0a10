"""Progress of work on standard error: one line that is redrawn on a terminal, whole lines everywhere else.

A line that is redrawn leaves a thousand lines in a log file and in a saved notebook.
"""

from __future__ import annotations

import sys
import time
from typing import TextIO

from keras_approx.text import plural


class Line:
    """A line that says how far work is.

    Args:
        stream: Where; None for standard error.

    Attributes:
        terminal: Whether it is redrawn.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self.terminal = self._stream.isatty()
        self._shown = time.monotonic()
        self._width = 0

    def is_due(self) -> bool:
        """Whether it was last shown so long ago that it may be shown again."""
        return time.monotonic() - self._shown > (0.2 if self.terminal else 30)

    def show(self, text: str) -> None:
        """Shows a text in place of the last one, or below it."""
        self._shown = time.monotonic()
        begin, end = ("\r", "") if self.terminal else ("", "\n")
        self._stream.write(f"{begin}{text.ljust(self._width)}{end}")
        self._stream.flush()
        self._width = len(text) if self.terminal else 0

    def end(self) -> None:
        """Leaves what was shown last where it is."""
        if self.terminal:
            self._stream.write("\n")
            self._stream.flush()


class Progress:
    """How far a step of work is; elsewhere than on a terminal it is told when the step is done.

    Args:
        doing: What is done, such as "calibrating".
        total: How many units there are; None if that is unknown.
        unit: What is counted, such as "batch".
        enabled: Whether anything is shown.
    """

    def __init__(self, doing: str, total: int | None, unit: str, enabled: bool) -> None:
        self._doing, self._total, self._unit, self._enabled = doing, total, unit, enabled
        self._start = time.monotonic()
        self._line = Line()

    def update(self, number: int) -> None:
        """Shows how many units are done; the step ends with the last one, if their number was known."""
        if number == self._total:
            self._end(number)
        elif self._enabled and self._line.terminal and self._line.is_due():
            known = "" if self._total is None else f" of {self._total:,}"
            self._line.show(f"{self._doing}: {number:,}{known}")

    def finish(self, number: int) -> None:
        """Ends a step whose number of units was not known."""
        if self._total is None:
            self._end(number)

    def _end(self, number: int) -> None:
        if self._enabled:
            seconds = time.monotonic() - self._start
            self._line.show(f"{self._doing}: {plural(number, self._unit)}, {seconds:.0f} s")
            self._line.end()
