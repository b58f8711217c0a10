"""Writes folders: all of it or nothing, and an export's never over files that are not an export's."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import BaseModel, ConfigDict

from export.artifact.exchange import exchange, locked
from export.artifact.manifest import MANIFEST_NAME, MAX_BYTES
from export.errors import OutputPathError
from keras_approx.storage.schema import read_bounded


def check_replaceable(folder: Path, *, earlier: bool = True) -> None:
    """Makes sure an export, or a project made of one, may be written to a folder.

    Args:
        folder: It may be missing, empty, or hold an earlier export and nothing else.
        earlier: Whether an earlier export may be replaced.

    Raises:
        OutputPathError: It is a file, a link or the root, is no possible path, cannot be read or written, or holds
            something that is not ours.
    """
    with _reported(folder):
        beside = next((parent for parent in folder.absolute().parents if _exists(parent)), None)
        if beside is None:
            raise OutputPathError(
                f"expected a folder to write an export into, got {str(folder)!r}: choose a new one"
            )
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
        with locked(beside):
            if beside == folder.absolute().parent:
                _recover(folder)
            _check_content(folder, earlier)


def _check_content(folder: Path, earlier: bool) -> None:
    if not _exists(folder):
        return
    mode = os.lstat(folder).st_mode
    if not stat.S_ISDIR(mode):
        kind, advice = "a file", "choose another output folder"
        if stat.S_ISLNK(mode):
            kind, advice = "a symbolic link", "name its target instead"
        raise OutputPathError(f"expected {str(folder)!r} to be a folder, got {kind}; {advice}")
    foreign = _foreign(folder, _own_files(folder) if earlier else set())
    if foreign and not earlier:
        raise OutputPathError(
            f"expected a new or an empty folder, {str(folder)!r} holds {foreign[0]!r}; choose another"
        )
    if foreign:
        raise OutputPathError(
            f"the output folder {str(folder)!r} holds {foreign[0]!r}, which no earlier export wrote; "
            "choose an empty or new folder, or move that away"
        )


@contextmanager
def _reported(folder: Path) -> Iterator[None]:
    """Turns the operating system's error about a path into ours; NUL and lone surrogates in it raise ValueError."""
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
    """Whether something is there, even a dangling link; unlike `Path.exists`, raises for impossible paths."""
    try:
        os.lstat(path)
    except FileNotFoundError:
        return False
    return True


def _foreign(folder: Path, own: Set[str]) -> list[str]:
    """What a folder holds beside its own files: paths of the first level that has any, what is no file first."""
    parents = {str(parent) for name in own for parent in PurePosixPath(name).parents}
    level = ["."]
    while level:
        inner, odd, files = [], [], []
        for place in level:
            with os.scandir(folder / place) as entries:
                for entry in entries:
                    path = str(PurePosixPath(place, entry.name))
                    if path in parents and entry.is_dir(follow_symlinks=False):
                        inner.append(path)
                    elif not entry.is_file(follow_symlinks=False):
                        odd.append(path)
                    elif path not in own:
                        files.append(path)
        if odd or files:
            return sorted(odd) or sorted(files)
        level = inner
    return []


class _Part(BaseModel):
    model_config = ConfigDict(strict=True)  # fields of other versions are not looked at


class _Writer(_Part):
    name: Literal["keras_approx"]


class _Ownership(_Part):
    """What every version's manifest says of who wrote a folder."""

    generator: _Writer
    name: str
    files: list[str]


def _own_files(folder: Path) -> set[str]:
    """Names an earlier export says it wrote, of those an export writes; none where there is no such export."""
    try:
        found = _Ownership.model_validate_json(read_bounded(folder / MANIFEST_NAME, MAX_BYTES))
    except (OSError, ValueError):
        return set()  # not ours: whatever is there is then reported as foreign
    name = re.escape(found.name)
    pattern = re.compile(
        rf"(src/)?({name}\.(c|h)|{name}_runtime\.h|{name}_[0-9]{{2,}}_[a-z0-9_]+\.c)|{name}\.tflite|"
        rf"README\.md|example\.c|CMakeLists\.txt|library\.properties|examples/classify/classify\.ino|"
        rf"keras_approx\.{name}\.pdsc|board\.toml|{re.escape(MANIFEST_NAME)}"
    )
    return {file for file in found.files if pattern.fullmatch(file)}


def export_of(file: Path) -> Path | None:
    """The folder of the export that a file belongs to, or would take a file's place of; None if there is none."""
    file = Path(os.path.realpath(file))  # unlike Path.resolve, takes links that lead in circles
    for folder in file.parents:
        if str(file.relative_to(folder)) in _own_files(folder):
            return folder
    return None


def write_folder(folder: Path, files: Mapping[str, bytes], *, earlier: bool = True) -> None:
    """Writes files to a temporary folder beside the final one, then puts it in place.

    Where the system can exchange folders, the final one holds the old or the new files at every moment. Elsewhere it is
    gone between two renames; a process killed there leaves the old files beside it, and the next call brings them back.

    Args:
        folder: The output folder; its parents are made where missing.
        files: Contents by path relative to it.
        earlier: Whether an earlier export may be replaced.

    Raises:
        OutputPathError: The folder cannot be written or must not be replaced; what was there is there still.
    """
    folder = folder.absolute()
    check_replaceable(folder, earlier=earlier)
    with (
        _reported(folder),
        _parents(folder),
        locked(folder.parent),
        tempfile.TemporaryDirectory(
            prefix=_prefix(folder), dir=folder.parent, ignore_cleanup_errors=True
        ) as temporary,
    ):
        fresh, old = Path(temporary, "new"), Path(temporary, "old")
        _write(fresh, files)
        _check_content(folder, earlier)
        if not _exists(folder):
            os.rename(fresh, folder)
        elif not exchange(fresh, folder):
            try:
                os.rename(folder, old)
                os.rename(fresh, folder)
            except BaseException:
                if _exists(old):
                    os.rename(old, folder)
                raise


def replace_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes files into a folder that may hold others: all are complete before the first is put in place.

    Args:
        folder: The folder; it and its parents are made where missing.
        files: Contents by name; files of the same names are replaced.

    Raises:
        OutputPathError: They cannot be written. What was there is there still if that shows before the first is put in
            place, as it does where room or permission is missing.
    """
    folder = folder.absolute()
    with _reported(folder), _parents(folder):
        staging = folder if _exists(folder) else folder.parent
        with (
            locked(staging),
            tempfile.TemporaryDirectory(
                prefix=_prefix(folder), dir=staging, ignore_cleanup_errors=True
            ) as temporary,
        ):
            fresh = Path(temporary, "new")
            _write(fresh, files)
            if staging != folder:
                os.rename(fresh, folder)
                return
            blocked = [name for name in files if (folder / name).is_dir()]
            if blocked:
                raise OutputPathError(
                    f"expected {str(folder / blocked[0])!r} to be a file, or not to be there, got a folder: move it "
                    "away, or choose another output folder"
                )
            for name in files:
                os.replace(fresh / name, folder / name)


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes files into a new folder."""
    folder.mkdir()
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def _prefix(folder: Path) -> str:
    """The prefix of temporary folders that belong to this folder."""
    stamp = hashlib.blake2b(os.fsencode(folder.name), digest_size=4).hexdigest()
    return f".{folder.name[:40]}-{stamp}-"


def _recover(folder: Path) -> None:
    """Restores what a killed export had moved away, and removes what it left behind; needs the lock."""
    prefix = _prefix(folder)
    with os.scandir(folder.absolute().parent) as entries:
        left = [
            Path(e.path) for e in entries if e.name.startswith(prefix) and e.is_dir(follow_symlinks=False)
        ]
    for temporary in left:
        if {entry.name for entry in temporary.iterdir()} - {"new", "old"}:
            continue  # not ours after all
        if _exists(temporary / "old") and not _exists(folder):
            os.rename(temporary / "old", folder)
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _parents(folder: Path) -> Iterator[None]:
    """Makes the parents of a folder; the new ones are removed again if the rest fails."""
    missing = [parent for parent in folder.absolute().parents if not _exists(parent)]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        with suppress(OSError):  # a parent that was never made, or that another process uses by now
            for parent in missing:
                parent.rmdir()
        raise
