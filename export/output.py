"""Writing an export's folder: all of it or nothing, and never over what is not ours."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from .errors import OutputPathError
from .manifest import MANIFEST_NAME

GENERATOR = "keras_approx"


def check_replaceable(folder: Path) -> None:
    """Makes sure an export may be written to a folder.

    Args:
        folder: it may be missing, empty, or hold an earlier export and nothing else.

    Raises:
        OutputPathError: it is a file or a link, cannot be read, or holds something that is not ours.
    """
    if folder.is_symlink():
        raise OutputPathError(
            f"expected {str(folder)!r} to be a folder, got a symbolic link; name its target instead"
        )
    if not folder.exists():
        return
    if not folder.is_dir():
        raise OutputPathError(
            f"expected {str(folder)!r} to be a folder, got a file; choose another output folder"
        )
    try:
        present = {entry.name for entry in folder.iterdir()}
    except OSError as error:
        raise OutputPathError(f"cannot read the output folder {str(folder)!r}: {error.strerror}") from error
    foreign = sorted(present - _own_files(folder))
    if foreign:
        raise OutputPathError(
            f"the output folder {str(folder)!r} holds {foreign[0]!r}, which no earlier export wrote; "
            "choose an empty or new folder, or move that away"
        )


def _own_files(folder: Path) -> set[str]:
    """Names an earlier export says it wrote; none where there is no such export."""
    try:
        manifest = json.loads((folder / MANIFEST_NAME).read_text(encoding="utf-8"))
        if manifest["generator"]["name"] != GENERATOR:
            return set()
        return {str(name) for name in manifest["files"]}
    except (OSError, ValueError, KeyError, TypeError):
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
    temporary: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name[:40]}-", dir=folder.parent))
        fresh = temporary / "new"
        fresh.mkdir()
        for name, content in files.items():
            (fresh / name).write_bytes(content)
        if folder.exists():
            # Two renames: between them the old export is in the temporary folder, from where it comes back on failure.
            old = temporary / "old"
            os.rename(folder, old)
            try:
                os.rename(fresh, folder)
            except OSError:
                os.rename(old, folder)
                raise
        else:
            os.rename(fresh, folder)
    except OSError as error:
        raise OutputPathError(
            f"cannot write the output folder {str(folder)!r}: {error.strerror}; choose a folder you may write to"
        ) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
