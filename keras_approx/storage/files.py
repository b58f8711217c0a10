"""Files: those of others are read only where they are files, ours are written whole or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


def open_regular(path: str | Path) -> IO[bytes]:
    """Opens a regular file to be read.

    Raises:
        OSError: It cannot be opened.
        ValueError: It is a folder, a device or a pipe, or no possible path.
    """
    if Path(path).exists() and not Path(path).is_file():
        raise ValueError("it is not a regular file")
    return open(path, "rb")


@contextmanager
def replacing(path: str | Path) -> Iterator[IO[bytes]]:
    """Opens a file to be written, which is there when all is written; into a device or a pipe it is written at once.

    Args:
        path: Of the file; one that is there is replaced, if it is a link the one it leads to.

    Raises:
        OSError: It cannot be written.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        with open(path, "wb") as file:
            yield file
        return
    path = path.resolve()
    part = path.with_name(unfinished(path.name))
    try:
        with open(part, "wb") as file:
            yield file
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def unfinished(name: str) -> str:
    """What a file is called until it is complete: never too long, and the same each time, so that none is left."""
    return f".keras_approx-{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}.part"


def is_unfinished(name: str) -> bool:
    """Whether a file is called so."""
    return name.startswith(".keras_approx-") and name.endswith(".part")
