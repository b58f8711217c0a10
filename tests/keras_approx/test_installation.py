"""What `keras-approx doctor` finds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import keras_approx
from export.commands import main
from keras_approx import installation


def test_extras_are_those_of_the_distribution() -> None:
    assert {"numpy", "unicorn", "pydantic"} <= {*installation.required("")}
    assert not {"tensorflow", "scipy", "matplotlib"} & {*installation.required("")}
    assert {"tensorflow", "tf-keras", "scipy"} <= {*installation.required("train")}
    assert installation.required("plots") == ["matplotlib"]


def test_what_is_missing_is_said_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "_version", lambda name: None if name == "matplotlib" else "1.0")
    monkeypatch.setattr(installation, "_tool_version", lambda tool: None if tool == "cmake" else "13.2")
    found = installation.examine()
    assert keras_approx.__version__ in found.about
    versions = {part.name: part.version for part in found.parts}
    assert versions["matplotlib"] is None
    assert versions["numpy"] == "1.0"
    assert found.advice == [
        "matplotlib missing, for reports and plots: pip install 'keras_approx[plots]'",
        "cmake missing, for the firmware examples: apt-get install cmake, or your system's package of it",
    ]


def test_another_module_named_export_is_reported(tmp_path: Path) -> None:
    (tmp_path / "export.py").write_text("")
    root = Path(keras_approx.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "keras_approx.installation"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"{tmp_path.resolve() / 'export.py'} is named export too" in done.stdout


def test_the_command_lists_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    names = [line.split()[0] for line in text.splitlines()[2:]]
    assert {"tensorflow", "scipy", "arm-none-eabi-gcc"} <= {*names}
    assert len(names) == len({*names}) or "missing" in text  # advice begins with the names of what is missing


def test_a_missing_package_is_named_with_its_extra() -> None:
    code = (
        "import sys; sys.modules['scipy'] = None\nimport keras_approx\n"
        "try: keras_approx.explore\nexcept keras_approx.errors.MissingPackageError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "keras_approx.explore needs scipy" in done.stdout
    assert "pip install 'keras_approx[train]'" in done.stdout
