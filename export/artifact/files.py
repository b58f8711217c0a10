"""Single files, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from export.errors import OutputPathError


def unfinished(path: Path) -> Path:
    """What a file is called until it is complete: in the same folder, with a name that is never too long."""
    return path.with_name(f".keras_approx-{os.getpid()}{path.suffix}")


def write_file(path: Path, content: bytes, instead: str) -> None:
    """Writes a file whole or not at all; into a device or a pipe it writes as it can.

    Args:
        path: A link leads to the file that is written.
        content: Of the file.
        instead: What to choose if it cannot be written.

    Raises:
        OutputPathError: It cannot be written.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
        else:
            _replace(path.resolve(), content)
    except OSError as error:
        raise OutputPathError(f"cannot write {str(path)!r}: {error.strerror}; choose {instead}") from error


def _replace(path: Path, content: bytes) -> None:
    temporary = unfinished(path)
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
