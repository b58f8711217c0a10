"""What skipping costs in accuracy: fine-tuned networks at several fractions of kept products, and metrics compared.

    python -m benchmarks.training.accuracy table --data cifar10.npz          # every cell; a day on 2 cores
    python -m benchmarks.training.accuracy table lenet --kept 0.25 --seeds 3 --data cifar10.npz
    python -m benchmarks.training.accuracy table --significance energy ...    # ranked by a metric while training
    python -m benchmarks.training.accuracy table lenet --kept 0.25 --optimizer default ...  # as users have it
    python -m benchmarks.training.accuracy metrics                           # ranks the significance metrics
    python -m benchmarks.training.accuracy ingredients                       # what each part of the recipe is worth
    python -m benchmarks.training.accuracy table --quick                     # everything once, small; minutes

Every run starts from the shipped float weights, and the exact int8 model it is compared with was fine-tuned for as
many epochs. A run that ended is kept (models in --work, a record in --results) and not done again, so a command that
was interrupted continues with the run it was at. Test accuracies are those of the generated C on all test images;
metrics and ingredients look at validation images only.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import tensorflow as tf
from cifar10 import INPUT_RANGE, Cifar10, add_data, load
from common import LOSS, classified
from networks import pretrained
from train import accuracy

import export
import keras_approx
from benchmarks import FIGURES
from benchmarks.pages.accuracy_tables import fractions
from benchmarks.shared.options import REFERENCE, add_networks, argument_parser
from benchmarks.shared.records import add_replace, read_folder, record_of, write_json
from benchmarks.training.explorations import CALIBRATION_IMAGES
from benchmarks.training.runs import ELIMINATION_IMAGES, EPOCHS, KEPT, WORK, Run, fine_tuned, first, with_data
from keras_approx.layers.skip_wrapper import skip_wrappers
from keras_approx.measure.summaries import mask_positions
from keras_approx.skipping.masks import fraction_masks
from keras_approx.skipping.significance import ELIMINATION, METRICS, significance

RESULTS = FIGURES / "accuracy"
SHORT_EPOCHS = 3
RECORDED = "sgd"
AFTER_TRAINING = (0.75, 0.5, 0.35, 0.25)

ENERGY = {"significance": "energy"}

# One change of the recommended recipe each: arguments of fine_tune, and of wrap.
INGREDIENTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "the recipe": ({}, {}),
    "without distillation": ({"distillation": 0.0}, {}),
    "operands in place of pairs": ({"granularity": "operand"}, {}),
    "blocks in place of pairs": ({"granularity": "block"}, {}),
    "a fraction for each layer": ({"scope": "layer"}, {}),
    "cost not counted": ({"cost_exponent": 0.0}, {}),
    "eliminated in four rounds": ({"elimination_rounds": 4}, {}),
    "a learning rate of 0.03": ({"learning_rate": 0.03}, {}),
    "energy: ranked while training": (ENERGY, {}),
    "energy, without distillation": ({**ENERGY, "distillation": 0.0}, {}),
    "energy, operands": ({**ENERGY, "granularity": "operand"}, {}),
    "energy, blocks": ({**ENERGY, "granularity": "block"}, {}),
    "energy, a fraction for each layer": ({**ENERGY, "scope": "layer"}, {}),
    "energy, cost not counted": ({**ENERGY, "cost_exponent": 0.0}, {}),
    "energy, cost counted by its square root": ({**ENERGY, "cost_exponent": 0.5}, {}),
    "energy, straight-through gradients": (ENERGY, {"skipped_gradient": "straight_through"}),
}


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    data = load(options.data)
    if options.quick:
        data = replace(data, train=first(data.train, 2000), validation=first(data.validation, 500))
    {"table": _table, "metrics": _metrics, "ingredients": _ingredients}[options.part](options, data)
    return 0


def _table(options: argparse.Namespace, data: Cifar10) -> None:
    """The exact models and all cells once, then the other seeds of the quarter; the recorded optimizer's exact ones."""
    cells = (1.0, *options.kept) if options.optimizer == RECORDED else options.kept
    for seed in range(options.seeds):
        for network in options.networks:
            for kept in cells if seed == 0 else (0.25,):
                ranked = kept < 1 and options.significance != ELIMINATION
                recipe = {"significance": options.significance} if ranked else {}
                if kept < 1 and options.optimizer != RECORDED:
                    recipe["optimizer"] = options.optimizer
                run = Run(network, kept, options.epochs or EPOCHS[network], seed, recipe)
                result = options.results / f"{run.name}.json"
                if not record_of(result, with_data(asdict(run), data), options.replace):
                    print(f"\n{run.name}", flush=True)
                    model, record = fine_tuned(run, data, options.work / run.name)
                    code = export.to_c(model, options.work / run.name / "out")
                    right = classified(code.path, data.test)
                    write_json(result, record | {"test_accuracy": right})
                    print(f"{run.name}: {right:.2%} of {len(data.test):,} test images")
    print("\n" + fractions(read_table(options.results)))


def read_table(results: Path) -> list[dict[str, Any]]:
    """The records of all runs of the table."""
    return [record for record in read_folder(results) if "test_accuracy" in record]


def _metrics(options: argparse.Namespace, data: Cifar10) -> None:
    print("network, metric, validation accuracy with", *(f"{kept:.0%}" for kept in AFTER_TRAINING), end=" ")
    print("kept after training, and with 25% after a short fine-tune", flush=True)
    for network in options.networks:
        for metric in (*METRICS, ELIMINATION):
            run = Run(network, 0.25, options.epochs or SHORT_EPOCHS, options={"significance": metric})
            path = options.results / f"metric_{network}_{metric}.json"
            record = record_of(path, with_data(asdict(run), data), options.replace)
            if not record:
                _, record = fine_tuned(run, data, options.work / run.name)
                record |= {"after_training": _after_training(network, metric, data)}
                write_json(path, record)
            cells = [f"{value:7.2%}" for value in record["after_training"].values()]
            print(f"{network:8} {metric:8}", *cells, f"{record['validation_accuracy']:7.2%}", flush=True)


def _after_training(network: str, metric: str, data: Cifar10) -> dict[str, float]:
    """Validation accuracies with a metric's masks and no training, by the share of products kept."""
    if metric == ELIMINATION:
        images = first(data.train, ELIMINATION_IMAGES).inputs
        return {
            f"{kept:g}": accuracy(
                keras_approx.eliminate(
                    pretrained(network), images, kept=kept, input_range=INPUT_RANGE, verbose=False
                ),
                data.validation,
            )
            for kept in AFTER_TRAINING
        }
    model = keras_approx.wrap(pretrained(network), compensate=True, input_range=INPUT_RANGE)
    part = first(data.train, CALIBRATION_IMAGES)
    loss = LOSS if metric == "taylor" else None
    batches = tf.data.Dataset.from_tensor_slices((part.inputs, part.labels)).batch(64)
    keras_approx.calibrate(model, batches, loss=loss, verbose=False)
    found = {
        layer.name: significance(metric, layer.kernel.numpy(), layer.get_statistics())
        for layer in skip_wrappers(model)
    }
    accuracies = {}
    for kept in AFTER_TRAINING:
        keras_approx.set_masks(model, fraction_masks(found, mask_positions(model), kept))
        accuracies[f"{kept:g}"] = accuracy(model, data.validation)
    return accuracies


def _ingredients(options: argparse.Namespace, data: Cifar10) -> None:
    for network in options.networks:
        for number, (change, (recipe, wrapping)) in enumerate(INGREDIENTS.items()):
            run = Run(network, 0.25, options.epochs or SHORT_EPOCHS, 0, recipe, wrapping)
            path = options.results / f"ingredient_{network}_{number:02}.json"
            record = record_of(path, with_data(asdict(run), data), options.replace)
            if not record:
                _, record = fine_tuned(run, data, options.work / run.name)
                write_json(path, {"change": change} | record)
            print(f"{network:8} {record['validation_accuracy']:7.2%}  {change}", flush=True)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("part", choices=("table", "metrics", "ingredients"), help="what to measure")
    add_networks(parser, REFERENCE)
    add_data(parser)
    parser.add_argument(
        "--kept", type=float, nargs="+", help=f"for the table; default: {', '.join(map(str, KEPT))}"
    )
    parser.add_argument(
        "--significance",
        choices=(ELIMINATION, *METRICS),
        default=ELIMINATION,
        help="for the table (default: %(default)s)",
    )
    parser.add_argument(
        "--optimizer",
        choices=(RECORDED, "default"),
        default=RECORDED,
        help="for the table: SGD as recorded, or what fine_tune takes unless told (default: %(default)s)",
    )
    parser.add_argument("--seeds", type=int, default=1, help="for 25 %% in the table (default: %(default)s)")
    parser.add_argument(
        "--epochs", type=int, help=f"default: {EPOCHS} in the table, {SHORT_EPOCHS} elsewhere"
    )
    parser.add_argument("--work", type=Path, help=f"folder for models; default: {WORK}")
    parser.add_argument(
        "--results", type=Path, help=f"folder for records; default: {RESULTS.name} in results"
    )
    add_replace(parser)
    parser.add_argument("--quick", action="store_true", help="lenet, 2,000 images, 2 epochs, into runs/quick")
    options = parser.parse_args(arguments)
    options.networks = options.networks or (REFERENCE[:1] if options.quick else REFERENCE)
    options.kept = options.kept or ((0.25,) if options.quick else KEPT)
    options.epochs = options.epochs or (2 if options.quick else None)
    options.work = options.work or (Path("runs") / "quick" if options.quick else WORK)
    options.results = options.results or (options.work / "results" if options.quick else RESULTS)
    return options


if __name__ == "__main__":
    sys.exit(main())
