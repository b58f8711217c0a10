"""A bar for terminals, one line for everything else."""

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
    assert capsys.readouterr().out == "calibrating: 3 batches, 0 s\n"
    _run(total, 3, enabled=False)
    assert capsys.readouterr().out == ""


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    _run(3, 3)
    text = capsys.readouterr().out
    assert "3/3" in text
    assert "batches," not in text
