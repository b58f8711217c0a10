"""Arrays in .npz and .npy files; what a file claims is checked before memory is taken for it."""

from __future__ import annotations

import io
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import ArrayLike

from keras_approx.storage.files import open_regular

_NPY = b"\x93NUM"
_ENDING = ".npy"
_KINDS = "biufcSU"  # of dtypes: numbers and texts

# Bytes of a header, as numpy.load reads them at most.
_LONGEST_HEADER = 10_000
_BYTES_OF_LENGTH = {(1, 0): 2, (2, 0): 4, (3, 0): 4}  # by the version of the format

# The methods that NumPy writes, and how many bytes one byte can hold: Deflate repeats 258 bytes with two bits at best.
_EXPANSION = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: 1032}

# What ast.literal_eval, tokenize and numpy.dtype raise about texts that are no header.
_HEADER_ERRORS = (
    ValueError, TypeError, SyntaxError, LookupError, ArithmeticError, MemoryError, RecursionError, tokenize.TokenError,
)  # fmt: skip
# What zipfile raises about damaged archives, those that are encrypted, and those of unknown versions.
_ARCHIVE_ERRORS = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, LookupError, RuntimeError,
)  # fmt: skip


def write_arrays(file: IO[bytes], arrays: Mapping[str, ArrayLike], *, compress: bool = False) -> None:
    """Writes arrays as numpy.savez does, which takes arrays named file or allow_pickle for its own arguments.

    Args:
        file: Open to be written.
        arrays: By name, arrays, numbers or strings.
        compress: Whether to make the file smaller.
    """
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}{_ENDING}", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)


def read_array(path: str | Path) -> np.ndarray:
    """Reads the array of an .npy file.

    Raises:
        OSError: The file cannot be opened.
        ValueError: It is not an .npy file, or damaged, holds objects, or claims more than it has.
    """
    with open_regular(path) as file:
        return _read(file, _size(file))


def array_names(path: str | Path) -> list[str]:
    """The names of the arrays in an .npz file; what else it holds is passed over.

    Raises:
        OSError: The file cannot be opened.
        ValueError: It is not an .npz file, or damaged.
    """
    with open_regular(path) as file, _archive(file) as archive:
        return list(_members(archive))


def read_arrays(path: str | Path, names: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """Reads arrays of an .npz file.

    Args:
        path: Of the file.
        names: Of the arrays to read, which it must hold; None for all, and then it must hold nothing else.

    Returns:
        The arrays by name.

    Raises:
        OSError: The file cannot be opened.
        ValueError: It is not an .npz file, or damaged, lacks an array, holds objects, or claims more than it has.
    """
    with open_regular(path) as file, _archive(file) as archive:
        members = _members(archive)
        others = [name for name in archive.namelist() if not name.endswith(_ENDING)]
        if others and names is None:
            raise ValueError(f"it holds something else than arrays: {', '.join(others)[:200]}")
        missing = [name for name in names or () if name not in members]
        if missing:
            raise ValueError(f"it holds no array {missing[0]!r}")
        found: dict[str, np.ndarray] = {}
        for name in members if names is None else names:
            held = sum(array.nbytes for array in found.values())
            with archive.open(members[name]) as member:
                found[name] = _read(member, _most(members[name], _size(file)), held)
        return found


@contextmanager
def _archive(file: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    """An archive; what is wrong with it is a ValueError."""
    if file.read(len(_NPY)) == _NPY:
        raise ValueError("it holds one array without a name")
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except _ARCHIVE_ERRORS as error:
        raise ValueError(str(error) or type(error).__name__) from error


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """What holds each array."""
    files = [info for info in archive.infolist() if info.filename.endswith(_ENDING)]
    return {info.filename.removesuffix(_ENDING): info for info in files}


def _most(member: zipfile.ZipInfo, size: int) -> int:
    """The most bytes that a member of an archive of so many bytes can hold, whatever the archive says of it."""
    if member.compress_type not in _EXPANSION:
        raise ValueError(
            f"{member.filename} is compressed in another way than numpy.savez_compressed does it"
        )
    return min(member.file_size, size * _EXPANSION[member.compress_type])


def _size(file: IO[bytes]) -> int:
    return os.fstat(file.fileno()).st_size


def _read(file: IO[bytes], size: int, held: int = 0) -> np.ndarray:
    """An array from a stream of at most so many bytes, header included, beside others of the same file."""
    shape, columns, dtype = _header(file)
    if dtype.kind not in _KINDS or dtype.itemsize == 0:
        raise ValueError(f"it holds {dtype}, expected numbers")
    needed = prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or needed > size:
        raise ValueError(f"its header claims {needed:,} bytes of shape {shape}, but it has {size:,}")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if held + needed > memory // 2:
        raise ValueError(
            f"it needs {held + needed:,} bytes of memory, and at most half of this machine's may be used, which is "
            f"{memory // 2:,}"
        )
    values = np.empty(prod(shape), dtype)
    target, done = values.view(np.uint8), 0
    while done < needed:
        part = file.read(min(1 << 24, needed - done))
        if not part:
            raise ValueError(f"it ends after {done:,} of {needed:,} bytes")
        target[done : done + len(part)] = np.frombuffer(part, np.uint8)
        done += len(part)
    return values.reshape(shape, order="F" if columns else "C")


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether columns come first, and dtype."""
    version = np.lib.format.read_magic(file)
    if version not in _BYTES_OF_LENGTH:
        raise ValueError(f"its format is {version}")
    length = file.read(_BYTES_OF_LENGTH[version])
    text = file.read(min(int.from_bytes(length, "little"), _LONGEST_HEADER + 1))
    if len(text) > _LONGEST_HEADER:
        raise ValueError(f"its header has more than {_LONGEST_HEADER:,} bytes")
    # Versions 2 and 3 differ in the letters of names of fields, which no array of numbers has.
    parse = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    try:
        return parse(io.BytesIO(length + text))
    except _HEADER_ERRORS as error:
        raise ValueError(f"its header is damaged: {error}") from error
