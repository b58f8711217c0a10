"""Single files, written whole or not at all."""

from __future__ import annotations

from pathlib import Path

from export.errors import OutputPathError
from keras_approx.storage.files import replacing


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
        with replacing(path) as file:
            file.write(content)
    except OSError as error:
        raise OutputPathError(f"cannot write {str(path)!r}: {error.strerror}; choose {instead}") from error
