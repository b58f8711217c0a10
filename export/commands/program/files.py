"""Files that commands write: checked before work begins, written whole or not at all."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

from export.artifact.files import write_file
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
        OutputPathError: It is a folder, its folder does not exist, or it is a file of an export.
    """
    if path.is_dir():
        raise OutputPathError(f"expected the name of a file for {option}, got the folder {str(path)!r}")
    if not path.absolute().parent.is_dir():
        raise OutputPathError(f"the folder of {option} {str(path)!r} does not exist: make it first")
    from export.artifact.folder import export_of  # noqa: PLC0415 (slow to import)

    folder = export_of(path)
    if folder is not None:
        raise OutputPathError(
            f"{option} {str(path)!r} would replace a file of the export in {str(folder)!r}: choose another {option}"
        )


def check_distinct(options: argparse.Namespace) -> None:
    """Makes sure that --json and --outputs, which replace what is there, name no file of another option.

    Raises:
        OutputPathError: One does.
    """
    given = [(name, text) for name, value in vars(options).items() for text in _texts(value)]
    # os.path takes texts that can be no path, such as a long title.
    paths = [
        (name, os.path.realpath(text))
        for name, text in given
        if os.path.isfile(text) or not os.path.exists(text)
    ]
    for result in ("json", "outputs"):
        target = getattr(options, result, None)
        if target is None or str(target) == "-":
            continue
        for name, path in paths:
            if name != result and path == os.path.realpath(target):
                raise OutputPathError(
                    f"--{result} would replace {str(target)!r}, which is {name} too: choose another --{result}"
                )


def _texts(value: object) -> Iterator[str]:
    """The texts and paths of an option, which can be given several times and have several parts."""
    if isinstance(value, str | Path):
        yield str(value)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)


def write_new_file(path: Path, content: bytes, option: str = "--out") -> None:
    """Writes a file whole or not at all; into a device or a pipe it writes as it can.

    Args:
        path: A link leads to the file that is written.
        content: Of the file.
        option: What named it.

    Raises:
        OutputPathError: It cannot be written.
    """
    write_file(path, content, f"another {option}")
