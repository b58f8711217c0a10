"""Output of commands: progress while they work, one result at the end."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from keras_approx.text import printable

_SLOW = 1.0  # seconds that a step may take without a word

HelpFormatter = partial(argparse.RawDescriptionHelpFormatter, max_help_position=28)


@dataclass(frozen=True)
class Result:
    """What a command found.

    Attributes:
        text: For people.
        record: The same for programs: what `json` can write.
    """

    text: str
    record: Mapping[str, Any]


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, with a message that says how to resume."""


class Steps:
    """Says on standard error what happens, and how long the command has been running."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def __call__(self, text: str) -> None:
        print(f"[{time.monotonic() - self._start:4.0f} s] {_lines(text)}", file=sys.stderr, flush=True)


@contextmanager
def told(say: Steps, package: str) -> Iterator[None]:
    """Says those of the steps that a package logs which take longer than a second."""
    log, handler = logging.getLogger(package), _Slow(say)
    level, propagate = log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False  # TensorFlow's libraries print whatever reaches the root
    try:
        yield
    finally:
        handler.close()
        log.removeHandler(handler)
        log.setLevel(level)
        log.propagate = propagate


class _Slow(logging.Handler):
    """Says what is logged if nothing else is logged soon."""

    def __init__(self, say: Steps) -> None:
        super().__init__()
        self._say = say
        self._waiting: threading.Timer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        self.close()
        self._waiting = threading.Timer(_SLOW, self._say, [record.getMessage()])
        self._waiting.daemon = True
        self._waiting.start()

    def close(self) -> None:
        """Forgets what would have been said."""
        if self._waiting is not None:
            self._waiting.cancel()


@contextmanager
def told_warnings() -> Iterator[None]:
    """Warnings to users are shown as they are, without the line of code that gave them."""
    with warnings.catch_warnings():
        show = warnings.showwarning

        def tell(message: Warning | str, category: type[Warning], *rest: Any, **more: Any) -> None:
            if category is UserWarning:
                print(f"warning: {_lines(str(message))}", file=sys.stderr, flush=True)
            else:
                show(message, category, *rest, **more)

        warnings.showwarning = tell
        yield


def load_tensorflow() -> None:
    """Imports TensorFlow, without what its libraries write on standard error unless it fails, then or later."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of what it does itself
    sys.stderr.flush()
    with tempfile.TemporaryFile() as kept:
        original = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            import keras_approx.compat  # noqa: F401, PLC0415
        except ImportError:
            kept.seek(0)
            os.write(original, kept.read())
            raise
        finally:
            os.dup2(original, 2)
            os.close(original)


def verbosity() -> int:
    """Keras's `verbose`: progress bars on a terminal, a line an epoch elsewhere."""
    return 1 if sys.stderr.isatty() else 2


def _lines(text: str) -> str:
    """Text without what could steer a terminal."""
    return "\n".join(map(printable, text.split("\n")))
