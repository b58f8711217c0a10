"""Many small JPEG images of one shape in one file that stores what they share once.

The files of the JPEG version of CIFAR-10 agree in everything but their entropy-coded scan: 625 of about 920
bytes are the same quantization and Huffman tables. The archive is an uncompressed `.npz` (scans do not
deflate) with

    header, trailer      [bytes] uint8   what every file begins and ends with
    <part>_scans         [bytes] uint8   the scans of a part, one after the other
    <part>_lengths       [n] uint16      their lengths in bytes
    <part>_labels        [n] uint8       class numbers
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from PIL import Image

_START_OF_SCAN = b"\xff\xda"
_END_OF_IMAGE = b"\xff\xd9"


def write_archive(path: Path, parts: Mapping[str, tuple[Sequence[bytes], np.ndarray]]) -> None:
    """Writes the archive; the same input gives the same bytes.

    Args:
        path: File to write.
        parts: For each part's name its JPEG files and their class numbers `[n]`.

    Raises:
        ValueError: The files do not share their header, or are not JPEG files with one scan.
    """
    headers = {_header(file) for files, _ in parts.values() for file in files}
    if len(headers) != 1:
        raise ValueError(f"expected JPEG files with one common header, found {len(headers)} different ones")
    header = headers.pop()
    arrays = {"header": _array(header), "trailer": _array(_END_OF_IMAGE)}
    for name, (files, labels) in parts.items():
        scans = [file[len(header) : -len(_END_OF_IMAGE)] for file in files]
        arrays[f"{name}_scans"] = _array(b"".join(scans))
        arrays[f"{name}_lengths"] = np.array([len(scan) for scan in scans], np.uint16)
        arrays[f"{name}_labels"] = np.asarray(labels).astype(np.uint8)
    np.savez(path, allow_pickle=False, **arrays)


def read_archive(path: Path, parts: Sequence[str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Decodes the named parts to images `[n, height, width, 3]` uint8 and class numbers `[n]` int64.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not such an archive, or lacks a part.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}: restore it from the repository")
    try:
        with np.load(path, allow_pickle=False) as archive:
            header, trailer = archive["header"].tobytes(), archive["trailer"].tobytes()
            return {
                name: (
                    _decode(archive[f"{name}_scans"], archive[f"{name}_lengths"], header, trailer),
                    archive[f"{name}_labels"].astype(np.int64),
                )
                for name in parts
            }
    except (KeyError, ValueError, EOFError, OSError, BadZipFile) as error:
        raise ValueError(
            f"expected an archive of JPEG images with the parts {', '.join(parts)} in {path}: {error}"
        ) from error


def _decode(scans: np.ndarray, lengths: np.ndarray, header: bytes, trailer: bytes) -> np.ndarray:
    data, stops = scans.tobytes(), np.cumsum(lengths, dtype=np.int64)
    files = (
        header + data[stop - length : stop] + trailer for stop, length in zip(stops, lengths, strict=True)
    )
    return np.stack([np.asarray(Image.open(io.BytesIO(file)).convert("RGB")) for file in files])


def _header(file: bytes) -> bytes:
    """Everything up to and with the header of the only scan, whose length stands behind its marker."""
    start = file.find(_START_OF_SCAN)
    if start < 0 or file.count(_START_OF_SCAN) != 1 or not file.endswith(_END_OF_IMAGE):
        raise ValueError(
            f"expected a JPEG file with one scan, got {len(file)} bytes that begin with {file[:4].hex(' ')}"
        )
    return file[: start + 2 + int.from_bytes(file[start + 2 : start + 4], "big")]


def _array(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)
