"""Arrays from .npy and .npz files, whose claims are checked before memory is taken for them."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import IO

import numpy as np

from export.errors import InputError

_ZIP, _NPY = b"PK\x03\x04", b"\x93NUM"


def read_npy(path: str) -> np.ndarray:
    """The array of a .npy file.

    Raises:
        InputError: It cannot be read, is none, holds objects, or claims more than the file has.
    """
    try:
        with _open(path) as file:
            return _read(file, Path(path).stat().st_size)
    except Exception as error:  # the parser of headers raises many
        raise _refused(path, "a .npy file of one array of numbers", error) from error


def read_npz(path: str, names: Sequence[str], optional: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """Arrays of an .npz file.

    Args:
        path: Of the file.
        names: What it must hold.
        optional: What it may hold.

    Raises:
        InputError: It cannot be read, is none, an array is missing or of objects, or claims more than the file has.
    """
    wanted = f"an .npz file with the arrays {' and '.join(names)}"
    try:
        with _open(path) as file:
            if (start := file.read(4)) != _ZIP:
                came = "one array without a name" if start == _NPY else "something else"
                raise InputError(f"expected {path!r} to be {wanted}, got {came}: save them with numpy.savez")
            file.seek(0)
            with zipfile.ZipFile(file) as archive:
                sizes = {info.filename.removesuffix(".npy"): info.file_size for info in archive.infolist()}
                missing = [name for name in names if name not in sizes]
                if missing:
                    raise InputError(
                        f"expected the array {missing[0]!r} in {path!r}, found {', '.join(sizes)[:200] or 'none'}; "
                        "name the arrays with --inputs-array and --labels-array"
                    )
                found = {}
                for name in (*names, *(name for name in optional if name in sizes)):
                    with archive.open(f"{name}.npy") as member:
                        found[name] = _read(member, sizes[name])
                return found
    except InputError:
        raise
    except Exception as error:  # zipfile raises many, some of them NotImplementedError and zlib's own
        raise _refused(path, wanted, error) from error


def _open(path: str) -> IO[bytes]:
    if Path(path).exists() and not Path(path).is_file():
        raise ValueError("it is no file")
    return open(path, "rb")


def _read(file: IO[bytes], size: int) -> np.ndarray:
    """An array from a stream of so many bytes, header included."""
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise ValueError(f"its format is {version}")
    headers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, columns, dtype = headers.get(version, np.lib.format.read_array_header_2_0)(file)
    if dtype.hasobject or dtype.itemsize == 0:
        raise ValueError(f"it holds {dtype}, expected numbers")
    needed = prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or needed > size:
        raise ValueError(f"its header claims {needed:,} bytes of shape {shape}, but it has {size:,}")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > memory // 2:
        raise ValueError(f"it takes {needed:,} bytes, and this machine has {memory:,}")
    values = np.empty(prod(shape), dtype)
    target, done = values.view(np.uint8), 0
    while done < needed:
        part = file.read(min(1 << 24, needed - done))
        if not part:
            raise EOFError(f"it ends after {done:,} of {needed:,} bytes")
        target[done : done + len(part)] = np.frombuffer(part, np.uint8)
        done += len(part)
    return values.reshape(shape, order="F" if columns else "C")


def _refused(path: str, wanted: str, error: BaseException) -> InputError:
    if isinstance(error, FileNotFoundError):
        return InputError(f"no file {path!r}; expected {wanted}: check the path")
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return InputError(f"expected {path!r} to be {wanted}: {reason}")
