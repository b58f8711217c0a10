"""A small trained-looking model and samples for it, as files, and the program as tests call it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.commands import main
from tests.keras_approx import models

Run = Callable[..., dict[str, Any]]
# Shells start what runs in the background with SIGINT ignored, and all that it starts inherits that.
_PROGRAM = (
    "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "runpy.run_module('export', run_name='__main__', alter_sys=True)"
)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds model.keras, train.npz and test.npz; tests write elsewhere."""
    folder = tmp_path_factory.mktemp("commands")
    model = models.small()
    model.save(folder / "model.keras")
    np.savez(folder / "train.npz", inputs=models.inputs(model, 120), labels=models.labels(120))
    np.savez(folder / "test.npz", inputs=models.inputs(model, 40, seed=7), labels=models.labels(40, seed=8))
    return folder


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command that must work; what it prints as JSON."""

    def call(*arguments: object) -> dict[str, Any]:
        status = main([*map(str, arguments), "--json", "-"])
        printed = capsys.readouterr()
        assert status == 0, printed.err
        return json.loads(printed.out)

    return call


@pytest.fixture
def start() -> Callable[..., subprocess.Popen[str]]:
    """Starts the program in a process of its own, which takes SIGINT however the tests were started."""

    def call(*arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", _PROGRAM, *map(str, arguments)]
        return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    return call


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that must fail; its one line of complaint."""

    def call(*arguments: object) -> str:
        assert main([*map(str, arguments)]) == 1
        printed = capsys.readouterr()
        assert printed.out == ""
        complaint = printed.err.strip().splitlines()[-1]
        assert complaint.startswith("error: ")
        return complaint

    return call
