"""Files that commands write: whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from export.commands.program.files import write_new_file
from export.errors import OutputPathError


def test_what_cannot_be_written_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.json"
    path.write_bytes(b"old")

    def full(*paths: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputPathError, match="No space left on device; choose another --json"):
        write_new_file(path, b"new", "--json")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("r.json", b"old")]


def test_links_lead_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    write_new_file(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"new"


def test_devices_stay() -> None:
    write_new_file(Path("/dev/null"), b"new", "--json")
    assert Path("/dev/null").is_char_device()
