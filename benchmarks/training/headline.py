"""All steps for lenet, alexnet and resnet8: explore, fine-tune what was found, export, verify, simulate.

    python -m benchmarks.training.headline --data cifar10.npz          # everything; many hours on 2 cores
    python -m benchmarks.training.headline lenet --output runs/a.json  # one network, on the images shipped here
    python -m benchmarks.training.headline --quick                     # a small run of all steps; minutes
    python -m benchmarks.training.headline --measure-again             # cycles of what was trained, as the code is now

Explorations look at validation images only; designs are taken from their fronts at fixed budgets of cycles. Beside them
stand the models of `benchmarks.training.accuracy table`, whose layers share a fraction of the products by one ranking.
These are fine-tuned for as many epochs as the exact int8 model they are compared with; others come from elimination
alone. Test images are looked at once, for the accuracies of the table. Whatever ended is kept in --work, so a command
that was interrupted continues, and models that the other benchmark trained are not trained again. The int8 models are
written beside the figures, in `designs/`.
`benchmarks.pages.document` puts the tables into the README and docs/benchmarks/accuracy.md, and draws the plot.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import tf_keras as keras
from cifar10 import INPUT_RANGE, Cifar10, add_data, load, to_int8
from networks import pretrained
from train import accuracy

import export
import keras_approx
from benchmarks import FIGURES
from benchmarks.pages.accuracy_tables import (
    DESIGNED,
    ELIMINATED,
    EXACT,
    EXPLORED,
    KEPT_SHARE,
    MILLION_CYCLES,
    WIDER,
)
from benchmarks.pages.tables import CMSIS_NN
from benchmarks.shared.options import REFERENCE, add_networks, argument_parser
from benchmarks.shared.records import add_replace, recorded, stays, write_bytes, write_json
from benchmarks.training.designs import DESIGNS, HandMade
from benchmarks.training.explorations import Exploration, design_tuned, explored
from benchmarks.training.runs import (
    ELIMINATION_IMAGES,
    EPOCHS,
    KEPT,
    WORK,
    Run,
    fine_tuned,
    first,
    with_data,
)
from benchmarks.training.shipped import CORE, cores, figures, model_path
from keras_approx.skipping.significance import ELIMINATION, METRICS

RESULTS = FIGURES / "headline.json"
# Budgets in million cycles on the M33.
BUDGETS: Mapping[str, tuple[float, ...]] = {
    "lenet": (1.78, 1.3, 0.9),
    "alexnet": (4.0, 2.7, 1.8),
    "resnet8": (7.5, 5.0, 3.0),
}
# Likewise, for explorations in which each layer chooses its granularity too.
EXPLORED_BUDGETS: Mapping[str, tuple[float, ...]] = {"lenet": (1.12,), "alexnet": (), "resnet8": ()}
# Likewise, for a wider network with the same task: by the narrow network's name, the wider one's and budgets.
WIDER_BUDGETS: Mapping[str, tuple[str, tuple[float, ...]]] = {"lenet": ("lenet_wide", (1.0, 0.64))}
ELIMINATED_SHARES = (0.5, 0.25)
HOST_IMAGES = 1000
ARM_IMAGES = 20


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    data = load(options.data)
    if options.quick:
        data = replace(data, train=first(data.train, 2000), validation=first(data.validation, 300))
    record = recorded(options.output) or {"networks": {}}
    if options.measure_again:
        _measure_again(record, data, options)
        return 0
    for name in options.networks:
        done = {
            label: entry
            for label, entry in record["networks"].get(name, {}).items()
            if _stays(name, label, entry["settings"], data, options)
        }
        for label, entry, tflite in _network(name, data, options, done):
            done[label] = entry
            record["networks"][name] = done
            record["versions"] = _versions()
            write_bytes(_path(name, label, options), tflite)
            write_json(options.output, record)  # last: what has a record is not done again
            print(_line(name, label, entry), flush=True)
    return 0


def _network(
    name: str, data: Cifar10, options: argparse.Namespace, done: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any], bytes]]:
    """The figures and the .tflite of the exact model and of a design for each budget, unless done, as they come."""
    epochs = options.epochs or EPOCHS[name]
    ranked = "" if options.significance == ELIMINATION else f"{options.significance} "
    runs = {EXACT: Run(name, 1.0, epochs, options.seed)}
    if not ranked:
        runs |= {
            f"{DESIGNED}{cycles}": Run(
                name,
                1.0,
                options.epochs or design.epochs or epochs,
                options.seed,
                {"design": design.layers},
            )
            for cycles, design in DESIGNS[name].items()
        }
    recipe = {"significance": options.significance} if ranked else {}
    runs |= {
        f"{ranked or KEPT_SHARE}{100 * kept:g}": Run(name, kept, epochs, options.seed, recipe)
        for kept in options.kept
    }
    for label, run in runs.items():
        if label not in done:
            model, tuned = fine_tuned(run, data, options.work / run.name)
            tflite = export.to_tflite(model)
            settings = _settings(name, label, data, options)
            yield label, {"settings": settings, **_figures(model, tflite, tuned, data, options)}, tflite
    for label, kept in {f"{ELIMINATED}{100 * kept:g}": kept for kept in options.eliminated}.items():
        if label not in done:
            model, found = _eliminated(name, kept, data)
            tflite = export.to_tflite(model)
            settings = _settings(name, label, data, options)
            yield label, {"settings": settings, **_figures(model, tflite, found, data, options)}, tflite
    for prefix, network, budgets in _explorations(name, ranked, options):
        wanted = {f"{prefix}{budget:g} {MILLION_CYCLES}": 1e6 * budget for budget in budgets}
        wanted = {label: budget for label, budget in wanted.items() if label not in done}
        if wanted:
            yield from _designs(name, network, wanted, prefix != ranked, epochs, data, options)


def _explorations(
    name: str, ranked: str, options: argparse.Namespace
) -> Iterator[tuple[str, str, Sequence[float]]]:
    """How labels of designs start, the network that is explored, and the budgets in million cycles."""
    yield ranked, name, BUDGETS[name] if options.budgets is None else options.budgets
    if not ranked:
        yield EXPLORED, name, EXPLORED_BUDGETS[name] if options.explored is None else options.explored
        if name in WIDER_BUDGETS:
            network, budgets = WIDER_BUDGETS[name]
            yield WIDER, network, budgets if options.wider is None else options.wider


def _designs(
    name: str,
    network: str,
    budgets: Mapping[str, float],
    by_layer: bool,
    epochs: int,
    data: Cifar10,
    options: argparse.Namespace,
) -> Iterator[tuple[str, dict[str, Any], bytes]]:
    """The figures and the .tflite of the most accurate design within each budget, as `_network` gives them."""
    exploration = Exploration(network, by_layer, options.significance, options.rounds, options.seed)
    front, pricer = explored(exploration, data, options.work)
    for label, budget in budgets.items():
        design = front.best(max_cycles=budget)
        print(f"\n{name}, {label}: design {design.id}, {design.kept:.1%} of the products", flush=True)
        model, tuned = design_tuned(exploration, front, design, pricer, epochs, data, options.work)
        before = {
            "settings": _settings(name, label, data, options),
            "explored_designs": len(front.evaluated),
            "design": design.design.to_json(),
            "accuracy_before_fine_tuning": design.score,
        }
        tflite = export.to_tflite(model)
        yield label, before | _figures(model, tflite, tuned, data, options), tflite


def _settings(name: str, label: str, data: Cifar10, options: argparse.Namespace) -> dict[str, Any]:
    """What the figures of a model depend on."""
    settings = {"epochs": options.epochs or EPOCHS[name], "seed": options.seed}
    if label.startswith(ELIMINATED):
        return with_data({"epochs": 0, "elimination_images": ELIMINATION_IMAGES}, data)
    kind, *_ = label.partition(" ")
    if kind in METRICS:
        settings |= {"significance": kind}
    if label.startswith(DESIGNED):
        design = DESIGNS[name].get(label.removeprefix(DESIGNED), HandMade({}))
        settings |= {"design": design.layers}
        settings |= {"epochs": options.epochs or design.epochs or EPOCHS[name]}
    elif label.endswith(f" {MILLION_CYCLES}"):
        settings |= {"rounds": options.rounds}
    if label.startswith(WIDER):
        settings |= {"network": WIDER_BUDGETS[name][0]}
    return with_data(settings, data)


def _stays(
    name: str, label: str, settings: Mapping[str, Any], data: Cifar10, options: argparse.Namespace
) -> bool:
    """Whether figures are what this command would make, or of the same training in a way it is not asked for."""
    wanted = _settings(name, label, data, options)
    kind, *_ = label.partition(" ")
    if kind in METRICS and kind != options.significance and "rounds" in settings:
        wanted |= {"rounds": settings["rounds"]}
    return stays(f"{name}, {label}", settings, wanted, options.replace)


def _eliminated(name: str, kept: float, data: Cifar10) -> tuple[keras.Model, dict[str, Any]]:
    """A model that nothing trained, and what is known of it."""
    keras.backend.clear_session()
    images = first(data.train, ELIMINATION_IMAGES).inputs
    model = keras_approx.eliminate(
        pretrained(name), images, kept=kept, input_range=INPUT_RANGE, verbose=False
    )
    shares = {layer: float(mask.mean()) for layer, mask in keras_approx.get_masks(model).items()}
    return model, {"validation_accuracy": accuracy(model, data.validation), "kept": shares}


def _figures(
    model: keras.Model, tflite: bytes, tuned: Mapping[str, Any], data: Cifar10, options: argparse.Namespace
) -> dict[str, Any]:
    return figures(model, tflite, tuned, data.test, options.host_images, options.arm_images)


def _path(name: str, label: str, options: argparse.Namespace) -> Path:
    return model_path(options.output.parent / "designs", name, label)


def _measure_again(record: dict[str, Any], data: Cifar10, options: argparse.Namespace) -> None:
    """Measures the models that are written beside the figures, as the code is now; accuracies stay."""
    images = to_int8(data.test.images[: options.arm_images])
    for name in options.networks:
        for label, entry in record["networks"].get(name, {}).items():
            tflite = _path(name, label, options).read_bytes()
            with tempfile.TemporaryDirectory() as folder:
                entry["cores"] = cores(tflite, images, Path(folder))
            write_json(options.output, record)
            print(_line(name, label, entry), flush=True)


def _line(name: str, label: str, entry: Mapping[str, Any]) -> str:
    cycles = entry["cores"][CORE]["cycles"]
    return (
        f"{name}, {label}: {entry['test_accuracy']:.2%} of {entry['test_images']:,} test images, "
        f"{entry['kept']:.1%} of the products, {cycles:,} cycles, "
        f"{CMSIS_NN[name][CORE] / cycles:.2f} times fewer than CMSIS-NN"
    )


def _versions() -> dict[str, str]:
    return {package: metadata.version(package) for package in ("keras_approx", "tensorflow", "numpy")}


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    add_networks(parser, REFERENCE)
    add_data(parser)
    parser.add_argument(
        "--budgets", type=float, nargs="*", help="million cycles on the M33, for every network"
    )
    parser.add_argument(
        "--explored",
        type=float,
        nargs="*",
        help="likewise, for explorations in which each layer chooses its granularity",
    )
    parser.add_argument("--wider", type=float, nargs="*", help="likewise, for wider networks; lenet has one")
    parser.add_argument(
        "--kept",
        type=float,
        nargs="*",
        help=f"fractions of the products, for every network; default: {', '.join(map(str, KEPT))}",
    )
    parser.add_argument(
        "--significance",
        choices=(ELIMINATION, *METRICS),
        default=ELIMINATION,
        help="of models that keep a fraction, and of the exploration (default: %(default)s)",
    )
    parser.add_argument(
        "--eliminated",
        type=float,
        nargs="*",
        help=f"fractions of the products, of models that are not trained; default: {ELIMINATED_SHARES}",
    )
    parser.add_argument("--epochs", type=int, help=f"of each fine-tuning; default: {EPOCHS}")
    parser.add_argument(
        "--rounds", type=int, default=1, help="of refinement in the exploration (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--work", type=Path, help=f"folder for models and explorations; default: {WORK}")
    parser.add_argument("--output", type=Path, help=f"JSON; default: {RESULTS.name} in benchmarks/results")
    parser.add_argument(
        "--measure-again",
        action="store_true",
        help="measure the models in designs/ again, as the code is now, and train nothing",
    )
    add_replace(parser)
    parser.add_argument("--quick", action="store_true", help="lenet, 2,000 images, 2 epochs, into runs/quick")
    options = parser.parse_args(arguments)
    options.networks = options.networks or (REFERENCE[:1] if options.quick else REFERENCE)
    options.epochs = options.epochs or (2 if options.quick else None)
    if options.kept is None:
        options.kept = [0.25] if options.quick else KEPT
    if options.eliminated is None:
        options.eliminated = [0.5] if options.quick else ELIMINATED_SHARES
    if options.budgets is None:
        options.budgets = [1.78] if options.quick else None
    if options.explored is None:
        options.explored = [1.12] if options.quick else None
    if options.wider is None:
        options.wider = [] if options.quick else None
    options.work = options.work or (Path("runs") / "quick" if options.quick else WORK)
    options.output = options.output or (options.work / RESULTS.name if options.quick else RESULTS)
    options.host_images, options.arm_images = (100, 2) if options.quick else (HOST_IMAGES, ARM_IMAGES)
    return options


if __name__ == "__main__":
    sys.exit(main())
