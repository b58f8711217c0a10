"""The command `firmware`: how many samples it takes, and what it reads of a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from export.api import to_c
from export.commands import main
from tests.export.models.networks import small_classifier


@pytest.fixture(scope="module")
def out_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return to_c(small_classifier(), tmp_path_factory.mktemp("firmware") / "out", target="stm32f405").path


@pytest.mark.parametrize("arguments", [[], ["--inputs", "test.npz"]])
def test_samples_are_counted_with_a_file_and_without(
    arguments: list[str], out_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # Labels of a kind that no other command takes are not looked at.
    np.savez("test.npz", inputs=np.zeros((9, 5, 6, 1), np.int8), labels=np.eye(9))
    assert main(["firmware", str(out_dir), *arguments, "--samples", "7", "--out", "made"]) == 0
    assert "#define SAMPLES 7u" in (tmp_path / "made" / "network.h").read_text()
