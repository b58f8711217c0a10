"""A small export written by hand: what the build and the simulator need of `to_c`'s output, and nothing else.

Two layers over 8 int8 inputs: `00_dense` multiplies them by a constant 4 x 8 matrix in straight-line
assembly (SMLAD on Arm, plain C elsewhere), `01_clip` clamps in C, with data-dependent branches and a switch.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

WEIGHTS = np.array(
    [
        [1, -2, 3, 4, -5, 6, 7, -8],
        [0, 0, 9, 1, 0, 0, 2, 2],
        [-1, -1, -1, -1, 1, 1, 1, 1],
        [5, 0, 0, 0, 0, 0, 0, 5],
    ],
    np.int16,
)

_HEADER = """\
#ifndef MODEL_H
#define MODEL_H
#include <stdint.h>
#define MODEL_INPUT_SIZE 8
#define MODEL_OUTPUT_SIZE 4
#define MODEL_ARENA_SIZE 48
int model_run(const int8_t *input, int8_t *output);
#endif
"""

_RUNTIME = """\
#include <stdint.h>
void model_00_dense(const int16_t *input, int32_t *output);
extern const int32_t model_01_limits[4][2];
void model_01_clip(const int32_t *input, int8_t *output);
"""

_MODEL = """\
#include "model.h"
#include "model_runtime.h"
const int32_t model_01_limits[4][2] = {{-128, 127}, {-100, 100}, {-128, 127}, {0, 127}};
static union { int32_t words[12]; int8_t bytes[MODEL_ARENA_SIZE]; } arena;
int model_run(const int8_t *input, int8_t *output) {
    int16_t *wide = (int16_t *)(void *)&arena.words[0];
    for (int i = 0; i < MODEL_INPUT_SIZE; i++) {
        wide[i] = input[i];
    }
    model_00_dense(wide, &arena.words[4]);
    model_01_clip(&arena.words[4], output);
    return 0;
}
"""

_CLIP = """\
#include "model_runtime.h"
static int32_t model_01_shift(int32_t value, int channel) {
    switch (channel) {
    case 0: return value / 8;
    case 1: return value + 3;
    case 2: return -value;
    case 3: return value ^ 1;
    case 4: return value * 5;
    default: return value - 7;
    }
}
void model_01_clip(const int32_t *input, int8_t *output) {
    for (int i = 0; i < 4; i++) {
        int32_t value = model_01_shift(input[i], i);
        int32_t low = model_01_limits[i][0], high = model_01_limits[i][1];
        if (value < low) {
            value = low;
        }
        if (value > high) {
            value = high;
        }
        output[i] = (int8_t)value;
    }
}
"""


def reference(inputs: np.ndarray) -> np.ndarray:
    """int8 [n, 8] -> int8 [n, 4]."""
    sums = inputs.astype(np.int32) @ WEIGHTS.T.astype(np.int32)
    shifted = np.stack(
        [np.trunc(sums[:, 0] / 8).astype(np.int32), sums[:, 1] + 3, -sums[:, 2], sums[:, 3] ^ 1], axis=1
    )
    return np.clip(shifted, [-128, -100, -128, 0], [127, 100, 127, 127]).astype(np.int8)


def inputs(count: int) -> np.ndarray:
    """int8 [count, 8]."""
    return np.random.default_rng(7).integers(-128, 128, (count, 8), np.int8)


def _dense() -> str:
    assembly = ["push {r4, r5, r6, r7}", "ldm r0, {r4, r5, r6, r7}"]
    plain = []
    for row, weights in enumerate(WEIGHTS.tolist()):
        assembly.append("movs r2, #0")
        for pair in range(4):
            low, high = weights[2 * pair], weights[2 * pair + 1]
            assembly.append(f"ldr r3, =0x{(low & 0xFFFF) | (high & 0xFFFF) << 16:08x}")
            assembly.append(f"smlad r2, r{4 + pair}, r3, r2")
        assembly.append(f"str r2, [r1, #{4 * row}]")
        products = " + ".join(f"{weight} * input[{index}]" for index, weight in enumerate(weights))
        plain.append(f"    output[{row}] = {products};")
    assembly += ["pop {r4, r5, r6, r7}", "bx lr", ".ltorg"]
    lines = "\n".join(f'    "    {line}\\n"' for line in assembly)
    body = "\n".join(plain)
    return f"""\
#include "model_runtime.h"
#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP
__asm__(
    "    .syntax unified\\n    .text\\n    .balign 4\\n    .global model_00_dense\\n"
    "    .thumb_func\\n    .type model_00_dense, %function\\n"
    "model_00_dense:\\n"
{lines}
    "    .size model_00_dense, . - model_00_dense\\n"
);
#else
void model_00_dense(const int16_t *input, int32_t *output) {{
{body}
}}
#endif
"""


def manifest(**changes: object) -> dict[str, object]:
    """The manifest's content, with some entries replaced."""
    layers = [
        {"index": 0, "kind": "dense", "name": 'a"); system("', "source": "model_00_dense.c", "macs": 32},
        {"index": 1, "kind": "clip", "name": "../../x", "source": "model_01_clip.c", "macs": 0},
    ]
    rest: dict[str, object] = {"kernel": "unpacked", "kept_macs": 0, "predicted_cycles": None}
    rest |= {"predicted_flash_bytes": None, "roofline_cycles": None}
    rest |= {"predicted_board_cycles": None, "copied_bytes": 0}
    return {
        "format": 3,
        "generator": {"name": "keras_approx", "version": "0"},
        "name": "model",
        "target": {"core": "cortex-m33", "board": "nucleo-u575zi-q"},
        "sources": ["model.c", "model_00_dense.c", "model_01_clip.c"],
        "headers": ["model.h", "model_runtime.h"],
        "compiler_flags": ["-std=c11", "-O2"],
        "inputs": [{"name": "input", "shape": [8], "dtype": "int8", "scale": 0.5, "zero_point": 3}],
        "outputs": [{"name": "output", "shape": [4], "dtype": "int8", "scale": 1.0, "zero_point": 0}],
        "class_names": [],
        "state_bytes": 0,
        "arena_bytes": 48,
        "layers": [{**layer, **rest} for layer in layers],
        "buffers": [{"name": "wide", "offset": 0, "bytes": 16, "first_layer": 0, "last_layer": 1}],
        "files": [
            "model.c",
            "model.h",
            "model_00_dense.c",
            "model_01_clip.c",
            "model_runtime.h",
            "manifest.json",
        ],
        **changes,
    }


def write(folder: Path, **changes: object) -> Path:
    """Writes the export; `changes` replace entries of the manifest. Returns the folder."""
    folder.mkdir(exist_ok=True)
    files = {
        "model.h": _HEADER,
        "model_runtime.h": _RUNTIME,
        "model.c": _MODEL,
        "model_00_dense.c": _dense(),
        "model_01_clip.c": _CLIP,
        "manifest.json": json.dumps(manifest(**changes)),
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder
