"""A file that keeps the HDF5 library in a loop is refused, one that only raises errors is left to its reader."""

from __future__ import annotations

import struct
from pathlib import Path

import h5py
import pytest

from export.commands.inputs import hdf5_check
from export.commands.inputs.models import load_model
from export.errors import ModelFormatError

_HEAP = b"GCOL"  # the signature of the heap that holds texts; its first object's size stands 24 bytes behind


def _file(path: Path, size: int | None = None) -> Path:
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "2.15.0"
        file.attrs["model_config"] = '{"class_name": "Sequential"}' * 10
    if size is not None:
        content = bytearray(path.read_bytes())
        at = content.index(_HEAP) + 24
        content[at : at + 8] = struct.pack("<Q", size)
        path.write_bytes(content)
    return path


def test_a_loop_in_the_library_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5_check, "WORK", 1)
    path = _file(tmp_path / "endless.h5", 2**64 - 16)
    with pytest.raises(ModelFormatError, match=r"endless\.h5.*does not come to an end"):
        load_model(str(path))


@pytest.mark.parametrize("size", [None, 0, 2**32])
def test_others_end(tmp_path: Path, size: int | None) -> None:
    hdf5_check.check_ends(_file(tmp_path / "model.h5", size), "model.h5")
