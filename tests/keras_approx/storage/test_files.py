"""Files are written whole or not at all, and read only where they are files."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from keras_approx.storage.files import is_unfinished, open_regular, replacing


def test_what_fails_while_it_is_written_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as file:
        file.write(b"new")
        (part,) = set(tmp_path.iterdir()) - {path}
        assert is_unfinished(part.name)
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    with replacing(path) as file:
        file.write(b"new")
    assert path.read_text() == "new"


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "link.txt"
    link.symlink_to(tmp_path / "there" / "a.txt")
    with replacing(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert (tmp_path / "there" / "a.txt").read_text() == "new"


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(path.read_bytes()))
    reader.start()
    with replacing(path) as file:
        file.write(b"new")
    reader.join()
    assert found == [b"new"]
    assert path.is_fifo()


def test_what_is_not_a_file_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="it is not a regular file"):
        open_regular(tmp_path)
