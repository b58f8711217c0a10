"""Bit-exactness of exported networks against TFLite's reference kernels, byte by byte.

    python benchmarks/exactness.py                                 # the networks of the examples
    python benchmarks/exactness.py model.tflite model.h5            # any int8 .tflite, any Keras model
    python benchmarks/exactness.py lenet --kept 0.25 --activations int8

Each network is exported; the interpreter, the host build, and the builds for an emulated Cortex-M33 and Cortex-M4
(20 images) must give what OpResolverType.BUILTIN_REF gives on the same test images. Saves JSON; the exit status is 1
if a byte differs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import tf_keras as keras
from cifar10 import SUBSET, to_float, to_int8
from jpeg_archive import read_archive
from networks import NETWORKS

import export
from benchmarks.models import keep_pairs, quantized
from export.analysis.interpreter import run
from export.artifact.compiling import build_host
from export.frontend import read_tflite
from export.frontend.reference import run_reference

RESULTS = Path(__file__).parent / "results" / "exactness.json"
CORES = ("cortex-m33", "cortex-m4")
CALIBRATION_IMAGES = 200


def load(name: str) -> bytes:
    """The int8 model behind a name: a network of the examples, a .tflite file, or a Keras model to be quantized."""
    if name in NETWORKS:
        return quantized(name).tflite
    if name.endswith(".tflite"):
        return Path(name).read_bytes()
    images = read_archive(SUBSET, ("validation",))["validation"][0][:CALIBRATION_IMAGES]
    return export.to_tflite(
        keras.models.load_model(name, compile=False), representative_data=to_float(images)
    )


def check(tflite: bytes, images: np.ndarray, arm_images: int, activations: str) -> dict[str, int]:
    """Counts the images whose output differs from the reference, by what computed it.

    Args:
        tflite: the int8 model.
        images: int8 [n, 32, 32, 3].
        arm_images: how many of them the emulated cores run.
        activations: see `export.to_c`.
    """
    reference = run_reference(tflite, images)

    def differing(outputs: np.ndarray) -> int:
        return int((outputs != reference[: len(outputs)]).reshape(len(outputs), -1).any(axis=1).sum())

    found = {"interpreter": differing(run(read_tflite(tflite), images))}
    with tempfile.TemporaryDirectory() as folder:
        out = export.to_c(tflite, Path(folder) / "out", activations=activations).path
        found["host"] = differing(build_host(out).run(images))
        for core in CORES:
            found[core] = differing(export.simulate(out, images[:arm_images], core=core).outputs)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*", default=list(NETWORKS), help="names or files")
    parser.add_argument("--images", type=int, default=1000, help="test images on the host (default 1000)")
    parser.add_argument(
        "--arm-images", type=int, default=20, help="of them on the emulated cores (default 20)"
    )
    parser.add_argument(
        "--kept", type=float, default=1.0, help="part of each convolution's pairs to keep, at random"
    )
    parser.add_argument("--activations", default="auto", choices=("auto", "int16", "int8"))
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON to write (default %(default)s)")
    options = parser.parse_args()
    images = to_int8(read_archive(SUBSET, ("test",))["test"][0][: options.images])
    results: list[dict[str, Any]] = []
    for name in options.models:
        tflite = load(name)
        if options.kept < 1:
            tflite = keep_pairs(tflite, options.kept)
        differing = check(tflite, images, options.arm_images, options.activations)
        results.append({"model": Path(name).name, "kept": options.kept, "differing_images": differing})
        verdict = "exact" if not any(differing.values()) else f"DIFFERS: {differing}"
        print(
            f"{Path(name).name}: {len(images)} images, {options.arm_images} on {', '.join(CORES)}: {verdict}",
            flush=True,
        )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    record = {"images": len(images), "arm_images": options.arm_images, "activations": options.activations}
    options.out.write_text(json.dumps({**record, "results": results}, indent=2) + "\n", encoding="utf-8")
    return int(any(any(result["differing_images"].values()) for result in results))


if __name__ == "__main__":
    sys.exit(main())
