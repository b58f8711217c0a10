"""Files that others wrote: opened where they are files, and nothing that would be read without end."""

from __future__ import annotations

from pathlib import Path
from typing import IO


def open_regular(path: str | Path) -> IO[bytes]:
    """Opens a regular file to be read.

    Raises:
        OSError: It cannot be opened.
        ValueError: It is a folder, a device or a pipe, or no possible path.
    """
    if Path(path).exists() and not Path(path).is_file():
        raise ValueError("it is no file")
    return open(path, "rb")
