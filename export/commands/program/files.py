"""Files that commands write: checked before work begins, written whole or not at all."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from export.errors import OutputPathError


def check_new_file(path: Path, force: bool) -> None:
    """Makes sure that a file can be written in the end, before work begins.

    Raises:
        OutputPathError: The file exists and is not to be replaced, or its folder does not exist.
    """
    check_result_file(path, "--out")
    if path.exists() and not force:
        raise OutputPathError(f"{str(path)!r} exists: choose another --out, or give --force to replace it")


def check_result_file(path: Path, option: str) -> None:
    """Makes sure that a file which may be replaced can be written in the end, before work begins.

    Raises:
        OutputPathError: It is a folder, or its folder does not exist.
    """
    if path.is_dir():
        raise OutputPathError(f"expected the name of a file for {option}, got the folder {str(path)!r}")
    if not path.absolute().parent.is_dir():
        raise OutputPathError(f"the folder of {option} {str(path)!r} does not exist: make it first")


def check_distinct(options: argparse.Namespace) -> None:
    """Makes sure that --json and --outputs, which replace what is there, name no file of another option.

    Raises:
        OutputPathError: One does.
    """
    given = {name: value for name, value in vars(options).items() if isinstance(value, str | Path)}
    # os.path takes texts that can be no path, such as a long title.
    paths = {
        name: os.path.realpath(path)
        for name, path in given.items()
        if os.path.isfile(path) or not os.path.exists(path)
    }
    for result in ("json", "outputs"):
        if result not in paths or str(given[result]) == "-":
            continue
        for name, path in paths.items():
            if name != result and path == paths[result]:
                raise OutputPathError(
                    f"--{result} would replace {str(given[result])!r}, which is {name} too: choose another --{result}"
                )


def unfinished(path: Path) -> Path:
    """What a file is called until it is complete: in the same folder, with a name that is never too long."""
    return path.with_name(f".keras_approx-{os.getpid()}{path.suffix}")


def write_new_file(path: Path, content: bytes, option: str = "--out") -> None:
    """Writes a file whole or not at all; into a device or a pipe it writes as it can.

    Args:
        path: A link leads to the file that is written.
        content: Of the file.
        option: What named it.

    Raises:
        OutputPathError: It cannot be written.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
        else:
            _replace(path.resolve(), content)
    except OSError as error:
        raise OutputPathError(
            f"cannot write {str(path)!r}: {error.strerror}; choose another {option}"
        ) from error


def _replace(path: Path, content: bytes) -> None:
    temporary = unfinished(path)
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
