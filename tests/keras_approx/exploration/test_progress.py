"""The line says what is known, and none is shown where none is wanted."""

from __future__ import annotations

import io

from keras_approx.exploration.progress import ExplorationProgress
from tests.keras_approx.exploration.problems import record

EXACT = record({}, 800, 2_000_000)


def _progress(stream: io.StringIO | None = None, enabled: bool = True) -> ExplorationProgress:
    progress = ExplorationProgress(EXACT, "cycles", enabled, stream=stream or io.StringIO())
    progress.expect(1000)
    progress.restore([record({"a": 0.9}, 800, 1_900_000)])
    progress.update(record({"a": 0.5}, 795, 1_234_000))
    progress.update(record({"a": 0.1}, 100, 900))
    progress.update(record({"a": 0.2}, 250, 1, images=250, dropped=True))
    return progress


def test_the_line() -> None:
    assert _progress().line(10.0) == (
        "5/1,002 designs, 0.2/s, 1:23:05 left | exact 80.00% 2 M cycles; "
        "no loss 1.9 M, -1 point 1.23 M, -5 points 1.23 M"
    )
    assert "-:-- left" in ExplorationProgress(EXACT, "cycles", True, stream=io.StringIO()).line(0.0)


def test_preparation_before_the_first_design_says_nothing_of_the_rest(monkeypatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    stream = io.StringIO()
    progress = ExplorationProgress(EXACT, "cycles", True, stream=stream)
    progress.expect(12)
    now[0] = 600.0
    progress.update(record({"a": 0.5}, 795, 1_234_000))
    now[0] = 610.0
    progress.update(record({"a": 0.1}, 100, 900))
    progress.finish()
    first, last = stream.getvalue().splitlines()
    assert first.startswith("2/13 designs, 0.0/s, -:-- left")
    assert last.startswith("3/13 designs, 0.1/s, 1:40 left")


def test_where_there_is_no_terminal_lines_end() -> None:
    stream = io.StringIO()
    _progress(stream).finish()
    assert stream.getvalue().count("\n") == 1
    assert "\r" not in stream.getvalue()


def test_a_terminal_gets_one_line() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    progress = _progress(stream)
    progress.finish()
    assert stream.getvalue().startswith("\r5/1,002")
    assert stream.getvalue().endswith("\n")


def test_silence() -> None:
    stream = io.StringIO()
    _progress(stream, enabled=False).finish()
    assert stream.getvalue() == ""
