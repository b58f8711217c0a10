""".npz files: arrays of any names, and one kind of error for all that a damaged file can be."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import ArrayLike


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
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Reads the arrays of an .npz file by name.

    Raises:
        OSError: The file cannot be opened.
        ValueError: It is not an .npz file, or damaged, or holds objects.
    """
    with open(path, "rb") as file:
        try:
            found = np.load(file, allow_pickle=False)
            if isinstance(found, np.ndarray):
                raise ValueError("it holds one array without a name")
            arrays = {name: found[name] for name in found.files}
        except Exception as error:  # zipfile raises many, some of them NotImplementedError and zlib's own
            raise ValueError(str(error) or type(error).__name__) from error
    others = [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]
    if others:
        raise ValueError(f"it holds something else than arrays: {', '.join(others)[:200]}")
    return arrays
