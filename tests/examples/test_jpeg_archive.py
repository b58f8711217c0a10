"""The archive of JPEG files, and the script that makes the shipped one."""

from __future__ import annotations

import io
from pathlib import Path

import make_subset
import numpy as np
import pytest
from jpeg_archive import read_archive, write_archive
from PIL import Image


def _decode(file: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))


def test_what_is_written_is_read(jpeg_files: list[bytes], tmp_path: Path) -> None:
    path = tmp_path / "archive.npz"
    write_archive(path, {"a": (jpeg_files[:3], np.array([5, 0, 9])), "b": (jpeg_files[3:], np.array([1, 1]))})
    parts = read_archive(path, ("a", "b"))
    for (images, labels), files, expected in (
        (parts["a"], jpeg_files[:3], [5, 0, 9]),
        (parts["b"], jpeg_files[3:], [1, 1]),
    ):
        assert np.array_equal(images, [_decode(file) for file in files])
        assert labels.dtype == np.int64
        assert labels.tolist() == expected


def test_same_input_gives_same_bytes(jpeg_files: list[bytes], tmp_path: Path) -> None:
    for name in ("1.npz", "2.npz"):
        write_archive(tmp_path / name, {"a": (jpeg_files, np.zeros(5))})
    assert (tmp_path / "1.npz").read_bytes() == (tmp_path / "2.npz").read_bytes()


def test_files_must_share_their_header(jpeg_files: list[bytes], tmp_path: Path) -> None:
    other = io.BytesIO()
    Image.fromarray(_decode(jpeg_files[0])).save(other, "jpeg", quality=50)
    with pytest.raises(ValueError, match="one common header, found 2"):
        write_archive(tmp_path / "archive.npz", {"a": ([*jpeg_files, other.getvalue()], np.zeros(6))})
    with pytest.raises(ValueError, match="JPEG file with one scan"):
        write_archive(tmp_path / "archive.npz", {"a": ([b"GIF89a"], np.zeros(1))})
    assert not (tmp_path / "archive.npz").exists()


def test_read_says_what_is_wrong(jpeg_files: list[bytes], tmp_path: Path) -> None:
    path = tmp_path / "archive.npz"
    with pytest.raises(FileNotFoundError, match="restore it"):
        read_archive(path, ("a",))
    write_archive(path, {"a": (jpeg_files, np.zeros(5))})
    with pytest.raises(ValueError, match="with the parts b in"):
        read_archive(path, ("b",))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match="archive of JPEG images"):
        read_archive(path, ("a",))


def test_make_subset_keeps_the_split(
    jpeg_files: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = (jpeg_files * 5)[:21]
    bytes_of = np.frombuffer(b"".join(files), np.uint8)
    offsets = np.cumsum([0, *(len(file) for file in files)])
    labels = np.arange(21) % 10
    np.savez(
        tmp_path / "all.npz",
        train_bytes=bytes_of,
        train_offsets=offsets,
        train_labels=labels,
        test_bytes=bytes_of[: offsets[2]],
        test_offsets=offsets[:3],
        test_labels=labels[:2],
    )
    monkeypatch.setattr(make_subset, "TRAIN", 12)
    monkeypatch.setattr(make_subset, "VALIDATION", 2)
    assert make_subset.main([str(tmp_path / "all.npz"), "--out", str(tmp_path / "subset.npz")]) == 0
    parts = read_archive(tmp_path / "subset.npz", ("train", "validation", "test"))
    assert parts["train"][1].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2]
    assert parts["validation"][1].tolist() == [9, 9]
    assert np.array_equal(parts["train"][0][11], _decode(files[12]))
    assert np.array_equal(parts["test"][0], [_decode(file) for file in files[:2]])
