"""Writes int8 inputs as a C file for the firmware.

python examples/stm32/images_to_c.py images.npy images.c
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np


def images_to_c(images: np.ndarray) -> str:
    """Returns the C source of a batch.

    Args:
        images: int8 [n, ...], quantized with the scale and zero point in the export's header.
    """
    if images.dtype != np.int8 or images.ndim < 2 or len(images) == 0:
        raise ValueError(
            f"expected int8 images [n, ...], got {images.dtype} {list(images.shape)}; quantize them first"
        )
    rows = images.reshape(len(images), -1)
    bodies = "\n".join("    " + ", ".join(map(str, row)) + "," for row in rows.tolist())
    return (
        '#include "images.h"\n\n'
        f"const uint32_t image_count = {len(rows)}u;\n"
        f"const uint32_t image_size = {rows.shape[1]}u;\n"
        f"const int8_t images[] = {{\n{bodies}\n}};\n"
    )


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("images", type=Path, help=".npy file of int8 inputs [n, ...]")
    parser.add_argument("output", type=Path, help="C file to write")
    options = parser.parse_args()
    options.output.write_text(images_to_c(np.load(options.images, allow_pickle=False)), encoding="ascii")


if __name__ == "__main__":
    main()
