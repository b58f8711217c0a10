"""A line that is redrawn on terminals, one line for everything else."""

from __future__ import annotations

import sys

import pytest

from keras_approx.progress import Progress


def _run(total: int | None, units: int, enabled: bool = True) -> None:
    progress = Progress("calibrating", total, "batch", enabled)
    for number in range(1, units + 1):
        progress.update(number)
    progress.finish(units)


@pytest.mark.parametrize("total", [3, None])
def test_elsewhere_a_step_is_one_line(total: int | None, capsys: pytest.CaptureFixture[str]) -> None:
    _run(total, 3)
    assert tuple(capsys.readouterr()) == ("", "calibrating: 3 batches, 0 s\n")
    _run(total, 3, enabled=False)
    assert tuple(capsys.readouterr()) == ("", "")


@pytest.mark.parametrize(("total", "known"), [(3, " of 3"), (None, "")])
def test_a_terminal_gets_one_line_that_is_redrawn(
    total: int | None, known: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter(range(100))
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    _run(total, 3)
    out, text = capsys.readouterr()
    first, second, *_, last = text.split("\r")[1:]
    assert (out, first, second) == ("", f"calibrating: 1{known}", f"calibrating: 2{known}")
    assert last.startswith("calibrating: 3 batches, ")
    assert text.count("\n") == 1
    assert text.endswith("\n")
