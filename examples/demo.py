"""All steps on real images: fine-tune a network with skipped products, export it as C, verify it, measure it.

    python examples/demo.py                                  # lenet, a quarter of the products, shipped images
    python examples/demo.py --kept 0.5 --epochs 4
    python examples/demo.py --data cifar10.npz --target nucleo-u575zi-q --out runs/demo

Starting from the float weights that are shipped, it trains two int8 models equally long: one exact, one that skips
products. Both become C, are compiled for this machine and for a Cortex-M, and must give what TFLite's reference
kernels give, bit for bit. Accuracies are those of the C code on all test images; cycles are simulated.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras as keras
from cifar10 import INPUT_RANGE, AugmentedBatches, Cifar10, add_data, load, to_int8
from common import LOSS
from networks import PRETRAINED, pretrained
from train import accuracy

import export
import keras_approx
from export.errors import ExportError
from export.frontend.reference import run_reference
from export.targets import Span
from keras_approx.errors import KerasApproxError


@dataclass(frozen=True)
class Row:
    """One model's line of the table; None where a float model has no figure."""

    model: str
    test_accuracy: float
    products_kept: float
    cycles: int | None = None
    milliseconds: Span | None = None
    flash_bytes: int | None = None
    ram_bytes: int | None = None


class Steps:
    """Says what happens, and how long the whole has been going on."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start

    def __call__(self, text: str) -> None:
        print(f"\n[{self.seconds:3.0f} s] {text}", flush=True)


class NotBitExactError(Exception):
    """The C code and the reference kernels disagree."""


def check_equal(what: str, outputs: np.ndarray, reference: np.ndarray) -> None:
    """Raises NotBitExactError unless all outputs are those of the reference kernels."""
    wrong = int((outputs != reference).any(axis=1).sum())
    if wrong:
        raise NotBitExactError(
            f"{what}: {wrong} of {len(outputs)} images differ from TFLite's reference kernels"
        )
    print(f"  {what}: {len(outputs):,} images, every byte as TFLite's reference kernels give it", flush=True)


def export_and_measure(
    name: str, model: keras.Model, data: Cifar10, folder: Path, options: argparse.Namespace
) -> tuple[Row, export.Measurement]:
    """Exports a model, checks the code on this machine and on the emulated core, and measures it.

    Raises:
        NotBitExactError: An output differs from the reference.
    """
    export.to_c(model, folder, name=options.network, target=options.target)
    print(f"  {folder}: {len(list(folder.iterdir()))} files", flush=True)
    images = to_int8(data.test.images)
    reference = run_reference(
        (folder / f"{options.network}.tflite").read_bytes(), images[: options.host_images]
    )
    evaluation = export.evaluate(folder, images, data.test.labels)
    check_equal("on this machine", evaluation.outputs[: options.host_images], reference)
    measured = export.simulate(folder, images[: options.arm_images])
    check_equal(f"on an emulated {measured.core}", measured.outputs, reference[: options.arm_images])
    found = keras_approx.summary(model, print_fn=None)
    row = Row(
        model=name,
        test_accuracy=evaluation.accuracy,
        products_kept=found.skipping().share,
        cycles=measured.cycles,
        milliseconds=measured.milliseconds,
        flash_bytes=measured.flash_bytes,
        ram_bytes=measured.ram_bytes + measured.stack_bytes,
    )
    return row, measured


def format_table(rows: list[Row]) -> str:
    """The table of results, columns aligned."""
    cells: list[tuple[str, ...]] = [
        ("model", "test accuracy", "products kept", "cycles", "ms", "flash B", "RAM B")
    ]
    for row in rows:
        sizes = (row.cycles, row.milliseconds, row.flash_bytes, row.ram_bytes)
        formats = (",", ".2f", ",", ",")
        cells.append(
            (
                row.model,
                f"{row.test_accuracy:.2%}",
                f"{row.products_kept:.1%}",
                *(
                    "-" if value is None else format(value, form)
                    for form, value in zip(formats, sizes, strict=True)
                ),
            )
        )
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            [line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))]
        )
        for line in cells
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def run(options: argparse.Namespace, data: Cifar10) -> dict[str, Any]:
    """Does all of it, printing as it goes.

    Returns:
        A record of the run that `json` can write.
    """
    step = Steps()
    keras.utils.set_random_seed(options.seed)
    network = pretrained(options.network)
    step(f"Float {options.network}: {len(data.test):,} test images of {data.source}")
    rows = [Row("float", accuracy(network, data.test), 1.0)]
    print(f"  {rows[0].test_accuracy:.2%}")
    designs: dict[str, Any] = {}
    for name, kept in (("exact int8", 1.0), (f"{options.kept:.0%} kept", options.kept)):
        step(
            f"Fine-tune with int8 quantization: {name}, {options.epochs} epochs of {len(data.train):,} images"
        )
        model, history = keras_approx.fine_tune(
            network,
            AugmentedBatches(data.train, seed=options.seed),
            kept=kept,
            epochs=options.epochs,
            loss=LOSS,
            input_range=INPUT_RANGE,
            validation_data=(data.validation.inputs, data.validation.labels),
            verbose=2 if options.log else 1,
        )
        curves = {key: [float(value) for value in values] for key, values in history.history.items()}
        keras_approx.summary(model)
        step(f"Export and verify: {name}")
        folder = options.out / name.replace(" ", "_").replace("%", "")
        row, measured = export_and_measure(name, model, data, folder, options)
        print(measured, flush=True)
        rows.append(row)
        designs[name] = {"folder": folder.name, "curves": curves, "measurement": measured.to_dict()}
    step(f"{options.network} on {options.target}, {data.source}")
    print(format_table(rows))
    exact, skipped = rows[1], rows[2]
    assert exact.cycles is not None and skipped.cycles is not None
    print(
        f"{exact.cycles / skipped.cycles:.2f} times fewer cycles than the exact model, accuracy "
        f"{100 * (skipped.test_accuracy - exact.test_accuracy):+.2f} points"
    )
    settings = ("network", "data", "kept", "epochs", "seed", "target", "host_images", "arm_images")
    return {
        "settings": {name: getattr(options, name) for name in settings},
        "source": data.source,
        "rows": [asdict(row) for row in rows],
        "designs": designs,
        "seconds": round(step.seconds, 1),
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--network", choices=PRETRAINED, default="lenet", help="default: %(default)s")
    add_data(parser)
    parser.add_argument("--kept", type=float, default=0.25, help="share of products (default: %(default)s)")
    parser.add_argument(
        "--epochs", type=int, default=10, help="of fine-tuning, for each model (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--target", default="cortex-m33", help="core or board (default: %(default)s)")
    parser.add_argument(
        "--host-images",
        type=int,
        default=1000,
        help="test images to verify on this machine (default: %(default)s)",
    )
    parser.add_argument(
        "--arm-images", type=int, default=20, help="test images to verify on the core (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="folder (default: %(default)s)")
    parser.add_argument("--log", action="store_true", help="one line an epoch instead of progress bars")
    options = parser.parse_args(arguments)
    if not 0 < options.kept < 1:
        parser.error(f"--kept must be between 0 and 1, got {options.kept}")
    if not 1 <= options.arm_images <= options.host_images:
        parser.error("--arm-images must be at least 1 and at most --host-images")
    try:
        data = load(options.data)
    except (FileNotFoundError, ValueError) as error:
        parser.error(str(error))
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        record = run(options, data)
    except (ExportError, KerasApproxError, NotBitExactError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    path = options.out / "demo.json"
    path.write_text(json.dumps(record, indent=1) + "\n")
    print(f"Record: {path}; C code: {options.out}/*/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
