"""Writing an export's folder: all of it or nothing, and never over what is not ours."""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from export.artifact.manifest import MANIFEST_NAME
from export.errors import OutputPathError

GENERATOR = "keras_approx"


def check_replaceable(folder: Path) -> None:
    """Makes sure an export may be written to a folder.

    Args:
        folder: it may be missing, empty, or hold an earlier export and nothing else.

    Raises:
        OutputPathError: it is a file or a link, is no possible path, cannot be read or written, or holds something
            that is not ours.
    """
    with _reported(folder):
        beside = next(parent for parent in folder.absolute().parents if _exists(parent))
        if not beside.is_dir():
            raise OutputPathError(
                f"expected {str(beside)!r} to be a folder to write {folder.name!r} into, got a file; "
                "choose another output folder"
            )
        if not os.access(beside, os.W_OK | os.X_OK):
            raise OutputPathError(
                f"cannot write the output folder {str(folder)!r}: no permission to write into {str(beside)!r}; "
                "choose a folder you may write to"
            )
        if not _exists(folder):
            return
        mode = os.lstat(folder).st_mode
        if not stat.S_ISDIR(mode):
            kind, advice = "a file", "choose another output folder"
            if stat.S_ISLNK(mode):
                kind, advice = "a symbolic link", "name its target instead"
            raise OutputPathError(f"expected {str(folder)!r} to be a folder, got {kind}; {advice}")
        foreign = _foreign(folder)
    if foreign:
        raise OutputPathError(
            f"the output folder {str(folder)!r} holds {foreign[0]!r}, which no earlier export wrote; "
            "choose an empty or new folder, or move that away"
        )


@contextmanager
def _reported(folder: Path) -> Iterator[None]:
    """Turns what the system says of a path into our error; NUL and lone surrogates in it raise ValueError."""
    try:
        yield
    except OutputPathError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputPathError(
            f"cannot write the output folder {str(folder)!r}: {reason}; choose a folder you may write to"
        ) from error


def _exists(path: Path) -> bool:
    """Whether something is there, be it a dangling link; unlike `Path.exists`, raises for impossible paths."""
    try:
        os.lstat(path)
    except FileNotFoundError:
        return False
    return True


def _foreign(folder: Path) -> list[str]:
    """Names of what is in a folder and no export wrote."""
    with os.scandir(folder) as entries:
        regular = {entry.name: entry.is_file(follow_symlinks=False) for entry in entries}
    others = sorted(name for name, is_regular in regular.items() if not is_regular)
    return others or sorted(regular.keys() - _own_files(folder))


def _own_files(folder: Path) -> set[str]:
    """Names an earlier export says it wrote, of those an export writes; none where there is no such export."""
    try:
        manifest = json.loads((folder / MANIFEST_NAME).read_text(encoding="utf-8"))
        if manifest["generator"]["name"] != GENERATOR:
            return set()
        name = re.escape(manifest["name"])
        pattern = re.compile(
            rf"{name}\.(c|h|tflite)|{name}_runtime\.h|{name}_[0-9]{{2,}}_[a-z0-9_]+\.c|"
            rf"CMakeLists\.txt|{re.escape(MANIFEST_NAME)}"
        )
        return {file for file in manifest["files"] if pattern.fullmatch(file)}
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return set()  # not ours: whatever is there is then reported as foreign


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes files to a temporary folder beside the final one, then puts it in place.

    Args:
        folder: the output folder; its parents are made where missing.
        files: contents by plain file name.

    Raises:
        OutputPathError: the folder cannot be written or must not be replaced; what was there is there still.
    """
    check_replaceable(folder)
    with (
        _reported(folder),
        _parents(folder),
        tempfile.TemporaryDirectory(
            prefix=f".{folder.name[:40]}-", dir=folder.parent, ignore_cleanup_errors=True
        ) as temporary,
    ):
        fresh, old = Path(temporary, "new"), Path(temporary, "old")
        fresh.mkdir()
        for name, content in files.items():
            (fresh / name).write_bytes(content)
        # Two renames: between them the old export is in the temporary folder, from where it comes back on failure.
        try:
            if _exists(folder):
                os.rename(folder, old)
            os.rename(fresh, folder)
        except BaseException:
            if _exists(old):
                os.rename(old, folder)
            raise


@contextmanager
def _parents(folder: Path) -> Iterator[None]:
    """Makes the parents of a folder; those that were missing go again if the rest fails."""
    missing = [parent for parent in folder.absolute().parents if not _exists(parent)]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        with suppress(OSError):  # a parent that never came to be, or that somebody else uses by now
            for parent in missing:
                parent.rmdir()
        raise
