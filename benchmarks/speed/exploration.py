"""How fast designs are evaluated: a grid over all layers of lenet on 1,000 validation images, against the naive way.

    python -m benchmarks.speed.exploration                            # 10,290 designs, about 10 minutes on 2 cores
    python -m benchmarks.speed.exploration --levels 3 3 3 3 3 --output small.json     # 243 designs

Every layer keeps one of several fractions of its pairs, and every combination is evaluated (accuracy on the validation
images, cycles, flash and RAM on a Cortex-M33). It is done in one process, without giving designs up early
(`patient`) or with (`grid`). The naive way, timed for a few of the same designs: set the masks, `model.predict`,
`export.estimate`; and the same with the model rebuilt each time. Their counts of right images are compared with
those of the grid, one by one. Saves JSON.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from cifar10 import INPUT_RANGE, load
from networks import pretrained

import export
import keras_approx
from benchmarks.shared.options import CORE, argument_parser
from benchmarks.shared.records import add_output, recorded, stays, write_json

RESULTS = Path("runs") / "exploration.json"
CALIBRATION_IMAGES, VALIDATION_IMAGES = 1000, 1000


class TimedPrice:
    """A price that counts its calls and seconds."""

    def __init__(self, price: Any) -> None:
        self._price = price
        self.calls = 0
        self.seconds = 0.0

    def __call__(self, masks: Mapping[str, np.ndarray]) -> Mapping[str, float]:
        begin = time.perf_counter()
        costs: Mapping[str, float] = self._price(masks)
        self.calls += 1
        self.seconds += time.perf_counter() - begin
        return costs


def wrapped(images: np.ndarray) -> Any:
    """The network with its shipped weights, wrapped and calibrated."""
    model = keras_approx.wrap(pretrained("lenet"), compensate=True, input_range=INPUT_RANGE)
    keras_approx.calibrate(model, images, verbose=False)
    return model


def explore(model: Any, options: Mapping[str, Any], confidence: float | None) -> tuple[Any, dict[str, Any]]:
    """The front, and what it took."""
    begin = time.perf_counter()
    price = TimedPrice(export.Pricer(model, target=CORE))
    planning = time.perf_counter() - begin
    with tempfile.TemporaryDirectory() as out:
        begin = time.perf_counter()
        front = keras_approx.explore(
            model, **options, search=keras_approx.Grid(), price=price, out=out, confidence=confidence
        )
        seconds = time.perf_counter() - begin
    records = front.evaluated
    return front, {
        "designs": len(records),
        "seconds": round(seconds, 1),
        "milliseconds_per_design": round(1000 * seconds / len(records), 2),
        "minutes_per_hundred": round(seconds / len(records) * 100 / 60, 4),
        "pricing_seconds": round(price.seconds, 1),
        "pricer_seconds": round(planning, 1),
        "given_up_early": sum(record.dropped_early for record in records),
        "images_looked_at": sum(record.images for record in records),
        "front": [{"id": record.id, "accuracy": record.score, **record.costs} for record in front.designs],
    }


def naive(
    front: Any, model: Any, validation: tuple[np.ndarray, np.ndarray], calibration: np.ndarray, count: int
) -> dict[str, Any]:
    """Seconds of the naive way for some designs, and whether it counts the same."""
    images, labels = validation
    whole = [record for record in front.evaluated if not record.dropped_early]
    chosen = [whole[number] for number in np.random.default_rng(0).permutation(len(whole))[:count]]
    seconds = {"build": 0.0, "predict": 0.0, "predict_after_build": 0.0, "estimate": 0.0}
    differing = 0
    keras_approx.apply_design(front, chosen[0], model)
    model.predict(images, verbose=0)  # traces
    for record in chosen:
        keras_approx.apply_design(front, record, model)
        times = [time.perf_counter()]
        right = int(np.count_nonzero(model.predict(images, verbose=0).argmax(axis=1) == labels))
        times.append(time.perf_counter())
        export.estimate(model, target=CORE)
        times.append(time.perf_counter())
        built = wrapped(calibration)
        keras_approx.apply_design(front, record, built)
        times.append(time.perf_counter())
        built.predict(images, verbose=0)
        times.append(time.perf_counter())
        differing += right != record.right
        for name, span in zip(
            ("predict", "estimate", "build", "predict_after_build"), np.diff(times), strict=True
        ):
            seconds[name] += span / count
    kept = seconds["predict"] + seconds["estimate"]
    anew = seconds["build"] + seconds["predict_after_build"] + seconds["estimate"]
    return {
        "designs_timed": count,
        "designs_counted_differently": differing,
        "seconds_per_design": {name: round(span, 3) for name, span in seconds.items()},
        "minutes_per_hundred": {
            "same_model": round(kept * 100 / 60, 2),
            "built_anew": round(anew * 100 / 60, 2),
        },
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--levels", type=int, nargs=5, default=[7, 7, 7, 6, 5], help="fractions a layer (default 7 7 7 6 5)"
    )
    parser.add_argument("--naive", type=int, default=8, help="designs to time the naive way (default 8)")
    parser.add_argument("--patient", action="store_true", help="measure without giving up early too")
    add_output(parser, RESULTS)
    options = parser.parse_args(arguments)
    data = load()
    calibration = data.train.inputs[:CALIBRATION_IMAGES]
    part = slice(VALIDATION_IMAGES)
    validation = (data.validation.inputs[part], data.validation.labels[part])
    model = wrapped(calibration)
    names = list(keras_approx.get_masks(model))
    values = {
        name: np.round(np.linspace(1, 0.25, levels), 4).tolist()
        for name, levels in zip(names, options.levels, strict=True)
    }
    given = {"calibration": calibration, "validation": validation, "values": values}
    settings: dict[str, Any] = {
        "network": "lenet",
        "data": data.source,
        "validation_images": VALIDATION_IMAGES,
        "target": CORE,
        "values": values,
    }
    if before := recorded(options.output):
        stays(str(options.output), before, settings, options.replace, figures=True)
    result: dict[str, Any] = {
        **settings,
        "cores": os.cpu_count(),
        "load_before": [round(load, 2) for load in os.getloadavg()],
    }
    front, result["grid"] = explore(model, given, 0.999)
    if options.patient:
        patient, result["patient"] = explore(model, given, None)
        result["same_front"] = [r.id for r in patient.designs] == [r.id for r in front.designs]
    result["load_after"] = [round(load, 2) for load in os.getloadavg()]
    result["naive"] = naive(front, model, validation, calibration, options.naive)
    result["exact"] = {"accuracy": front.exact.score, **front.exact.costs}
    write_json(options.output, result)
    grid, slow = result["grid"], result["naive"]
    print(
        f"{grid['designs']:,} designs in {grid['seconds'] / 60:.1f} minutes ({grid['minutes_per_hundred']:.3f} a "
        f"hundred, of which pricing {grid['pricing_seconds'] / grid['seconds']:.0%}); naively "
        f"{slow['minutes_per_hundred']['same_model']} minutes a hundred, {slow['minutes_per_hundred']['built_anew']} "
        f"with the model rebuilt; load {result['load_before'][0]} to {result['load_after'][0]} on "
        f"{result['cores']} cores; {slow['designs_counted_differently']} of {slow['designs_timed']} counted "
        "differently"
    )
    return int(slow["designs_counted_differently"] > 0)


if __name__ == "__main__":
    sys.exit(main())
