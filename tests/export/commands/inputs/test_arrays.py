"""Arrays from files that claim more than they hold."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.lib import format as npy

from export.commands.inputs.arrays import read_npy, read_npz
from export.errors import InputError


def header(shape: tuple[int, ...], descr: Any = "<f4") -> bytes:
    made = io.BytesIO()
    npy.write_array_header_1_0(made, {"descr": descr, "fortran_order": False, "shape": shape})
    return made.getvalue()


def npz(path: Path, content: bytes, compression: int = zipfile.ZIP_STORED) -> str:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("inputs.npy", content)
    return str(path)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_reads_what_numpy_writes(tmp_path: Path, order: Any, save: Any) -> None:
    values = np.array(np.random.default_rng(0).normal(size=(5, 3, 2)), order=order)
    save(tmp_path / "x.npz", inputs=values, labels=np.arange(5), empty=np.zeros((0, 3)), one=np.float32(4))
    found = read_npz(str(tmp_path / "x.npz"), ["inputs", "labels", "empty", "one"], ["more"])
    assert set(found) == {"inputs", "labels", "empty", "one"}
    np.testing.assert_array_equal(found["inputs"], values)
    assert found["empty"].shape == (0, 3)
    np.save(tmp_path / "x.npy", values)
    np.testing.assert_array_equal(read_npy(str(tmp_path / "x.npy")), values)


@pytest.mark.parametrize("shape", [(10**12,), (10**6, 10**6), (-1,), (2**63, 2**63)])
def test_claims_take_no_memory(tmp_path: Path, shape: tuple[int, ...]) -> None:
    (tmp_path / "x.npy").write_bytes(header(shape) + bytes(100))
    with pytest.raises(InputError, match="claims"):
        read_npy(str(tmp_path / "x.npy"))
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with pytest.raises(InputError, match="claims"):
            read_npz(npz(tmp_path / "x.npz", header(shape) + bytes(100), compression), ["inputs"])


@pytest.mark.parametrize("descr", ["|O", [("a", "|O")], "|V0"])
def test_only_numbers(tmp_path: Path, descr: Any) -> None:
    (tmp_path / "x.npy").write_bytes(header((1,), descr) + bytes(100))
    with pytest.raises(InputError, match="expected numbers"):
        read_npy(str(tmp_path / "x.npy"))


@pytest.mark.parametrize(
    "content", [b"", b"\x93NUMPY", b"\x93NUMPY\x09\x00", b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 60000]
)
def test_damaged_headers(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(InputError, match=r"to be a \.npy file"):
        read_npy(str(tmp_path / "x.npy"))
    with pytest.raises(InputError, match=r"to be an \.npz file"):
        read_npz(npz(tmp_path / "x.npz", content), ["inputs"])


def test_what_is_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.npz", "/dev/zero", "nul\0"):
        with pytest.raises(InputError, match="expected"):
            read_npz(str(path), ["inputs"])
