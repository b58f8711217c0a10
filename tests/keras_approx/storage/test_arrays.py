"""Array files hold arrays of any names, and a damaged one is told as such."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_approx.storage.arrays import array_names, read_array, read_arrays, write_arrays

NAMES = st.one_of(
    st.sampled_from(["file", "allow_pickle", "x.npy", "arr_0", "a/../b"]), st.text("abc/. _-é", min_size=1)
)


@given(names=st.lists(NAMES, max_size=5, unique=True), compress=st.booleans())
def test_arrays_come_back_by_their_names(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], compress: bool
) -> None:
    path = tmp_path_factory.mktemp("arrays") / "some.npz"
    arrays = {name: np.full((2, number), number > 1) for number, name in enumerate(names)}
    with path.open("wb") as file:
        write_arrays(file, arrays, compress=compress)
    found = read_arrays(path)
    assert list(found) == names == array_names(path)
    assert all(np.array_equal(found[name], array) for name, array in arrays.items())


@given(data=st.data(), compress=st.booleans())
def test_damage_is_a_value_error_or_not_seen(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, compress: bool
) -> None:
    """Broken streams, flags of encryption, unknown methods: each has an error of its own in zipfile and zlib."""
    path = tmp_path_factory.mktemp("arrays") / "some.npz"
    with path.open("wb") as file:
        write_arrays(file, {"a": np.random.default_rng(0).random((8, 16)) < 0.5}, compress=compress)
    content = bytearray(path.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=3)):
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.sampled_from([len(content), len(content) // 2]))])
    try:
        found = read_arrays(path)
    except ValueError:
        return
    assert all(isinstance(array, np.ndarray) for array in found.values())


def test_all_arrays_together_fit_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "some.npz").open("wb") as file:
        write_arrays(file, {"a": np.zeros(150), "b": np.zeros(150)})
    monkeypatch.setattr("os.sysconf", lambda name: 64)  # 64 pages of 64 bytes, half of which may be taken
    assert read_arrays(tmp_path / "some.npz", ["a"])["a"].size == 150
    with pytest.raises(
        ValueError, match=r"needs 2,400 bytes of memory, and at most half of .* which is 2,048"
    ):
        read_arrays(tmp_path / "some.npz")


def header(shape: tuple[int, ...]) -> bytes:
    made = io.BytesIO()
    np.lib.format.write_array_header_1_0(made, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return made.getvalue()


def lying(path: Path, claimed: int, method: int) -> None:
    """An archive whose directory says that an array of 100 bytes has as many as are claimed."""
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a.npy", header((claimed // 4,)) + bytes(100))
        archive.infolist()[0].file_size = claimed


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_claim_of_the_directory_takes_no_memory(tmp_path: Path, method: int) -> None:
    lying(tmp_path / "some.npz", 1 << 30, method)
    tracemalloc.start()
    with pytest.raises(ValueError, match="claims"):
        read_arrays(tmp_path / "some.npz")
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_a_long_header_takes_no_memory(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "some.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", b"\x93NUMPY\x02\x00" + (1 << 25).to_bytes(4, "little") + bytes(1 << 25))
    tracemalloc.start()
    with pytest.raises(ValueError, match="header has more than"):
        read_arrays(tmp_path / "some.npz")
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_only_what_was_asked_for_is_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "some.npz", "w") as archive:
        archive.writestr("a.npy", header((2,)) + bytes(8))
        archive.writestr("damaged.npy", b"")
        archive.writestr("readme.txt", b"")
    assert array_names(tmp_path / "some.npz") == ["a", "damaged"]
    np.testing.assert_array_equal(read_arrays(tmp_path / "some.npz", ["a"])["a"], np.zeros(2))
    with pytest.raises(ValueError, match="holds no array 'b'"):
        read_arrays(tmp_path / "some.npz", ["b"])
    with pytest.raises(ValueError, match=r"something else than arrays: readme\.txt"):
        read_arrays(tmp_path / "some.npz")


def test_other_compression_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "some.npz", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("a.npy", header((2,)) + bytes(8))
    with pytest.raises(ValueError, match="compressed in another way"):
        read_arrays(tmp_path / "some.npz")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, "/dev/zero"):
        with pytest.raises(ValueError, match="it is not a regular file"):
            read_arrays(path)
        with pytest.raises(ValueError, match="it is not a regular file"):
            read_array(path)
