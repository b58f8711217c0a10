"""Progress of commands: a line for what takes long, none for the rest."""

from __future__ import annotations

import logging
import time

import pytest

from export.commands.program import console
from export.commands.program.console import Steps, told


def test_slow_steps_are_told_and_quick_ones_are_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(console, "_SLOW", 0.2)
    log = logging.getLogger("export.schedule.somewhere")
    with told(Steps(), "export.schedule"):
        for _ in range(20):
            log.info("a quick step")
        log.info("a slow step\x1b")
        time.sleep(1)
        log.info("the last step")
    log.info("a step of nobody's")
    time.sleep(0.5)
    assert capsys.readouterr().err == "[   0 s] a slow step?\n"
    assert not logging.getLogger("export.schedule").handlers


def test_steps_go_to_no_other_logger(capsys: pytest.CaptureFixture[str]) -> None:
    """TensorFlow's libraries print whatever reaches the root logger."""
    root, handler = logging.getLogger(), logging.StreamHandler()
    root.addHandler(handler)
    try:
        with told(Steps(), "export.schedule"):
            logging.getLogger("export.schedule.somewhere").info("a quick step")
    finally:
        root.removeHandler(handler)
    assert capsys.readouterr().err == ""
    assert logging.getLogger("export.schedule").propagate
