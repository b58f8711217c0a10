"""Progress of a step of work: a bar on a terminal, one line when the step is done everywhere else.

A bar that is redrawn leaves a thousand lines in a log file and in a saved notebook.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from keras_approx.compat import keras
from keras_approx.text import plural


class Progress:
    """How far a step of work is.

    Args:
        doing: What is done, such as "calibrating".
        total: How many units there are; None if that is unknown.
        unit: What is counted, such as "batch".
        enabled: Whether anything is shown.
    """

    def __init__(self, doing: str, total: int | None, unit: str, enabled: bool) -> None:
        self._doing, self._total, self._unit = doing, total, unit
        self._start = time.monotonic()
        terminal = enabled and sys.stdout.isatty()
        self._bar: Any = keras.utils.Progbar(total, unit_name=unit) if terminal else None
        self._tells = enabled and not terminal

    def update(self, number: int) -> None:
        """Shows how many units are done; the step ends with the last one, if their number was known."""
        if self._bar is not None:
            self._bar.update(number)
        elif number == self._total:
            self._tell(number)

    def finish(self, number: int) -> None:
        """Ends a step whose number of units was not known."""
        if self._total is None and self._bar is not None:
            self._bar.update(number, finalize=True)
        elif self._total is None:
            self._tell(number)

    def _tell(self, number: int) -> None:
        if self._tells:
            seconds = time.monotonic() - self._start
            print(f"{self._doing}: {plural(number, self._unit)}, {seconds:.0f} s", flush=True)
