"""Measures `export.Pricer`: how long a design takes to price, and how far the price is from kernels that are written.

    python -m benchmarks.cycles.pricing                   # the reference networks on both cores; 3 minutes on 2 cores
    python -m benchmarks.cycles.pricing alexnet --quick   # seconds and errors of a few designs on the M33

Every timed design is one the pricer has not seen: either all layers have new random masks, or one layer has, each in
turn. Seconds are CPU time, so that other work on the machine hardly counts. A price is compared, layer by layer, with
the kernels that `export.to_c` would write for the model with these masks, followed instruction by instruction.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from cifar10 import INPUT_RANGE, SUBSET, to_float
from jpeg_archive import read_archive
from networks import pretrained
from numpy.typing import NDArray

import export
import keras_approx
from benchmarks import FIGURES
from benchmarks.shared.models import CALIBRATION_IMAGES
from benchmarks.shared.options import CORES, REFERENCE, add_networks, argument_parser
from benchmarks.shared.records import add_replace, recorded, stays, write_json
from export.costing.counting.plans import count_plan
from export.frontend import read_tflite
from export.passes import run_passes
from export.schedule import Requirements, plan_network
from export.targets import resolve
from keras_approx.skipping.granularity import group_sums, spread
from keras_approx.training.callbacks import UpdateSkipMasks

RESULTS = FIGURES / "pricing.json"
_KEPT = (0.75, 0.5, 0.25, 0.125)
Masks = dict[str, NDArray[np.bool_]]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    images = to_float(read_archive(SUBSET, ("validation",))["validation"][0][:CALIBRATION_IMAGES])
    settings = {"cores": options.cores, "kept": [f"{kept:g}" for kept in options.kept]}
    record = {
        name: entry
        for name, entry in recorded(options.output).items()
        if stays(f"{name} in {options.output}", _settings(entry), settings, options.replace)
    }
    for name in options.networks:
        model = keras_approx.wrap(pretrained(name), compensate=True, input_range=INPUT_RANGE)
        keras_approx.calibrate(model, images, verbose=False)
        pricers = {core: export.Pricer(model, target=core) for core in options.cores}
        record[name] = {
            "seconds": {core: _seconds(model, pricers[core], core, options) for core in options.cores},
            "errors": _errors(model, pricers, options),
        }
        worst = max(max(found["cycles"], found["flash"]) for found in record[name]["errors"])
        print(f"{name}: largest error of a layer {100 * worst:.3f} %", flush=True)
        write_json(options.output, record)
    return 0


def _settings(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The cores and shares that a network was measured with."""
    seconds = entry["seconds"]
    return {"cores": [*seconds], "kept": [*next(iter(seconds.values()))]}


def _seconds(
    model: Any, pricer: export.Pricer, core: str, options: argparse.Namespace
) -> dict[str, dict[str, float]]:
    """Median seconds by share of kept pairs: new masks in all layers, in one of them, in none; and of an estimate."""
    rng = np.random.default_rng(1)
    found = {}
    for kept in options.kept:
        every, one, none = [], [], []
        for _ in range(options.designs):
            masks = _random_masks(model, kept, "pair", rng)
            every.append(_timed(lambda: pricer(masks)))  # noqa: B023 - called at once
            none.append(_timed(lambda: pricer(masks)))  # noqa: B023
            other = _random_masks(model, kept, "pair", rng)
            for layer in masks:
                one.append(_timed(lambda: pricer({**masks, layer: other[layer]})))  # noqa: B023
        keras_approx.set_masks(model, masks)
        found[f"{kept:g}"] = {
            "every_layer": statistics.median(every),
            "one_layer": statistics.median(one),
            "one_layer_at_most": max(one),
            "no_layer": statistics.median(none),
            "estimate": _timed(lambda: export.estimate(model, target=core)),
        }
        print(f"{core}, {100 * kept:g} %: " + _line(found[f"{kept:g}"]), flush=True)
    return {kept: {what: round(value, 5) for what, value in row.items()} for kept, row in found.items()}


def _line(seconds: Mapping[str, float]) -> str:
    return ", ".join(f"{what} {1000 * value:.1f} ms" for what, value in seconds.items())


def _errors(
    model: Any, pricers: Mapping[str, export.Pricer], options: argparse.Namespace
) -> list[dict[str, Any]]:
    """For each kind of masks and core: the largest relative error of a layer, and the design's cycles."""
    rng = np.random.default_rng(2)
    designs = [("random, pair", kept, _random_masks(model, kept, "pair", rng)) for kept in options.kept]
    designs += [
        (f"random, {granularity}", 0.25, _random_masks(model, 0.25, granularity, rng))
        for granularity in options.granularities
    ]
    designs += [(f"energy, {g}", kept, _energy_masks(model, kept, g)) for g, kept in options.energy]
    found = []
    for name, kept, masks in designs:
        keras_approx.set_masks(model, masks)
        graph = run_passes(read_tflite(export.to_tflite(model)))
        for core, pricer in pricers.items():
            cycles, flash = _written(graph, core)
            layers = list(pricer.layers(masks).values())
            errors = {
                "cycles": _largest_error([layer["cycles"] for layer in layers], cycles),
                "flash": _largest_error([layer["flash"] for layer in layers], flash),
            }
            found.append({"masks": name, "kept": kept, "core": core, **errors, "design_cycles": sum(cycles)})
            print(f"{name}, {100 * kept:g} %, {core}: {sum(cycles):,} cycles, errors {errors}", flush=True)
    return found


def _written(graph: Any, core: str) -> tuple[list[int], list[int]]:
    """Cycles and bytes of every layer, from its kernels' text."""
    target = resolve(core)
    assert target.timing is not None
    plans = [
        stage.plan for stage in plan_network(graph, Requirements(target)).stages if stage.plan is not None
    ]
    costs = [count_plan(plan, target.timing).cost for plan in plans]
    return [cost.cycles or 0 for cost in costs], [cost.flash_bytes for cost in costs]


def _largest_error(priced: Sequence[float], written: Sequence[int]) -> float:
    return max(abs(price - truth) / truth for price, truth in zip(priced, written, strict=True))


def _random_masks(model: Any, kept: float, granularity: str, rng: np.random.Generator) -> Masks:
    return {
        name: spread(rng.random(group_sums(mask, granularity).shape) < kept, mask.shape, granularity)
        for name, mask in keras_approx.get_masks(model).items()
    }


def _energy_masks(model: Any, kept: float, granularity: str) -> Masks:
    """What fine-tuning would keep: one ranking of all layers by energy."""
    update = UpdateSkipMasks(kept, granularity=granularity)
    update.set_model(model)
    update.update(0)
    return keras_approx.get_masks(model)


def _timed(call: Callable[[], Any]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    add_networks(parser, REFERENCE)
    parser.add_argument("--quick", action="store_true", help="few designs, on one core")
    parser.add_argument("--output", type=Path, help=f"JSON; default: {RESULTS.name} in benchmarks/results")
    add_replace(parser)
    options = parser.parse_args(arguments)
    options.networks = options.networks or (REFERENCE[1:2] if options.quick else REFERENCE)
    options.cores = CORES[:1] if options.quick else CORES
    options.kept = (0.25,) if options.quick else _KEPT
    options.granularities = () if options.quick else ("operand", "block")
    options.energy = [("pair", 0.25)] if options.quick else [("pair", 0.5), ("pair", 0.25), ("block", 0.12)]
    options.designs = 3 if options.quick else 10
    options.output = options.output or (Path("pricing_quick.json") if options.quick else RESULTS)
    return options


if __name__ == "__main__":
    sys.exit(main())
