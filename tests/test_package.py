"""What is published: a source archive and, built from it, a wheel with everything that runs."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

import keras_approx
from export.commands.program import main as program

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of both archives, built from a copy of the sources."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for path in _files("export", "keras_approx", "setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, source / path)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(built), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "absent from the `packages`" not in done.stdout + done.stderr
    return built


def _files(*paths: str) -> list[str]:
    """The files of folders, and files, relative to the root, without what Python leaves there."""
    found = [path for name in paths for path in [ROOT / name, *(ROOT / name).rglob("*")]]
    return [
        path.relative_to(ROOT).as_posix()
        for path in found
        if path.is_file() and path.parent.name != "__pycache__"
    ]


def test_the_wheel_holds_every_file_of_the_packages(dist: Path) -> None:
    with zipfile.ZipFile(next(dist.glob("*.whl"))) as wheel:
        found = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert found == {*_files("export", "keras_approx")}


def test_its_description_is_complete(dist: Path) -> None:
    with zipfile.ZipFile(next(dist.glob("*.whl"))) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith("METADATA"))
        described = message_from_bytes(wheel.read(name))
        entry = wheel.read(name.replace("METADATA", "entry_points.txt")).decode()
    assert described["Version"] == keras_approx.__version__
    assert described["License"] == "Apache-2.0"
    assert f"{program.main.__module__.removesuffix('.program.main')}:main" in entry


def test_twine_accepts_both(dist: Path) -> None:
    archives = [str(path) for path in sorted(dist.iterdir())]
    assert len(archives) == 2
    command = [sys.executable, "-m", "twine", "check", "--strict", *archives]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_changelog_has_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{keras_approx.__version__}] - 20" in text
    assert f"version: {keras_approx.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_the_repository_has_one_address_or_none() -> None:
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(ROOT / "setup.cfg", encoding="utf-8")
    cited = re.search(r"^repository-code: (\S+)$", (ROOT / "CITATION.cff").read_text("utf-8"), re.MULTILINE)
    assert (cited.group(1) if cited else None) == settings["metadata"].get("url")
