"""Makes `data/cifar10_jpeg_subset.npz`, the part of CIFAR-10's JPEG version that is shipped here.

    python examples/make_subset.py cifar10_jpeg.npz

The argument is an `.npz` of all 60,000 JPEG files: `train_bytes` and `test_bytes` (uint8, the files one after
the other), `train_offsets` and `test_offsets` (where each begins, and the last one's end), `train_labels` and
`test_labels`. The subset takes the first images of each part of `cifar10.split`, in order, and all test
images.
"""

from __future__ import annotations

import argparse
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
from cifar10 import SUBSET, is_validation
from jpeg_archive import write_archive

TRAIN, VALIDATION = 26_000, 3_000


def read_files(archive: np.lib.npyio.NpzFile, split: str) -> tuple[list[bytes], np.ndarray]:
    """The JPEG files of `"train"` or `"test"` and their class numbers."""
    data, offsets = archive[f"{split}_bytes"].tobytes(), archive[f"{split}_offsets"]
    return [data[start:stop] for start, stop in pairwise(offsets)], archive[f"{split}_labels"]


def choose(files: list[bytes], labels: np.ndarray, indices: np.ndarray) -> tuple[list[bytes], np.ndarray]:
    return [files[i] for i in indices], labels[indices]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, help=".npz file with the JPEG files")
    parser.add_argument("--out", type=Path, default=SUBSET, help="default: %(default)s")
    options = parser.parse_args(arguments)
    with np.load(options.source, allow_pickle=False) as archive:
        files, labels = read_files(archive, "train")
        test = read_files(archive, "test")
    validation = is_validation(len(files))
    parts = {
        "train": choose(files, labels, np.flatnonzero(~validation)[:TRAIN]),
        "validation": choose(files, labels, np.flatnonzero(validation)[:VALIDATION]),
        "test": test,
    }
    write_archive(options.out, parts)
    counts = ", ".join(f"{len(part_labels):,} {name}" for name, (_, part_labels) in parts.items())
    print(f"{options.out}: {counts} images, {options.out.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
