"""The paper's own table, beside elimination: latency at 0, 1, 5 and 10 points of loss, nothing trained.

    python -m benchmarks.elimination.paper --data cifar10.npz             # LeNet and AlexNet of its sizes
    python -m benchmarks.elimination.paper --data cifar10.npz --model toolkit=l.tflite     # and another int8 network

What Armeniakos, Mentzos and Soudris ("Accelerating TinyML Inference on Microcontrollers through Approximate Kernels",
2024) do is done here on the int8 network: the mean of |w a| / |sum w a| of calibration images is the significance of a
product, each convolution but the first gets a threshold, every combination of thresholds is tried, and unpacked direct
kernels compute what is left. Thresholds are laid over shares of the pairs that they keep. Elimination skips pairs or
whole kernels, and has all kernels of the exporter. Designs are chosen on the first validation images; their losses are
those on test images, which the search never saw. Figures are saved after each network. `benchmarks.pages.document` puts
them into docs/benchmarks/accuracy.md, beside the fine-tuned models of `benchmarks.training.headline`, and draws the
picture.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from cifar10 import Cifar10, add_data, load, to_int8
from common import classified
from numpy.typing import NDArray

import export
from benchmarks import FIGURES
from benchmarks.pages.tables import CMSIS_NN
from benchmarks.shared.front import front
from benchmarks.shared.options import CORE, argument_parser
from benchmarks.shared.records import add_output, recorded, stays, write_json
from benchmarks.training.runs import first
from export.costing.candidate import Candidate, Wanted
from export.elimination.network import Eliminator
from export.elimination.samples import Run, Values, computed
from export.frontend import read_tflite
from export.frontend.stored_layers import replaced, stored_layers
from export.ir.graph import Graph
from export.ir.ops import Conv2D
from export.ir.rewrite import with_constants
from export.passes import run_passes
from export.schedule import Requirements, Schedule, Stage, price_network
from export.schedule.estimate import estimate_schedule
from export.schedule.remembered import Remembered
from export.schedule.stage_plans import stage_candidates
from export.targets import Target, resolve
from keras_approx.skipping.masks import share_thresholds, threshold_mask
from keras_approx.skipping.selection import Selection
from keras_approx.skipping.significance import RELATIVE_FLOOR

RESULTS = FIGURES / "paper.json"
DESIGNS = FIGURES / "designs"
LOSSES = (0, 1, 5, 10)
"""Points of accuracy that a design may lose on the search's images."""
REPORTED = "21 % less latency than exact CMSIS-NN inference at no loss, in the mean of its LeNet and AlexNet"
SHARES: Mapping[str, tuple[float, ...]] = {"lenet": (1.0, 0.98, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.45)}
FEW_SHARES = (1.0, 0.95, 0.85, 0.7)
"""Of the pairs, for networks with more layers to combine them in."""
ELIMINATED = (0.9, 0.75, 0.6, 0.45, 0.3, 0.2, 0.12)
LENET_MACS = 4_548_608
"""CMSIS-NN's cycles depend on shapes alone: a network of so many products is taken to have lenet's."""
CALIBRATION_IMAGES = 512
ELIMINATION_IMAGES = 2048


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    data = load(options.data)
    models = {name: (DESIGNS / f"{name}_exact.tflite").read_bytes() for name in options.networks}
    models |= {name: Path(path).read_bytes() for name, path in options.models}
    settings = {"data": data.source, "search_images": options.search, "test_images": len(data.test)}
    before = recorded(options.output).get("networks", {})
    networks = {
        name: entry
        for name, entry in before.items()
        if stays(f"{name} in {options.output}", entry, settings, options.replace, figures=True)
    }
    for name, tflite in models.items():
        networks[name] = measured(name, tflite, data, options.search)
        write_json(options.output, {"reported": REPORTED, "networks": networks})
        print(f"\n{name}\n" + table(networks[name]), flush=True)
    return 0


def measured(name: str, tflite: bytes, data: Cifar10, search: int) -> dict[str, Any]:
    """The figures of a network: exact, the paper's way, and with elimination."""
    part = first(data.validation, search)
    images, labels = to_int8(part.images), part.labels
    graph = read_tflite(tflite)
    known: dict[bytes, float] = {}
    exact = {
        "search_accuracy": _accuracy(graph, images, labels),
        "test_accuracy": _on_test(tflite, data, known),
        "cycles": export.estimate(tflite, target=CORE).cycles,
        "unpacked_cycles": _unpacked_cycles(graph),
    }
    library = CMSIS_NN.get(name, CMSIS_NN["lenet"] if _macs(graph) == LENET_MACS else {})
    found: dict[str, Any] = {
        "data": data.source,
        "search_images": search,
        "test_images": len(data.test),
        "cmsis_nn_cycles": library.get(CORE),
        "exact": exact,
    }
    print(f"{name}: the paper's way", flush=True)
    paper = _paper_designs(tflite, data, images, labels)
    print(f"{name}: elimination, beside {len(paper)} designs of the paper's way", flush=True)
    eliminated = _eliminated_designs(tflite, data, images, labels)
    for way, designs in (("paper", paper), ("elimination", eliminated)):
        found[f"{way}_designs"] = len(designs)
        found[f"{way}_front"] = _front(designs)
        found[way] = {str(loss): _chosen(designs, exact, loss, data, known) for loss in LOSSES}
    return found


def _macs(graph: Graph) -> int:
    estimate = estimate_schedule(
        price_network(run_passes(graph), Requirements(resolve(CORE), "auto", None)), resolve(CORE)
    )
    return sum(layer.macs or 0 for layer in estimate.layers)


def _chosen(
    designs: Sequence[Mapping[str, Any]],
    exact: Mapping[str, Any],
    loss: float,
    data: Cifar10,
    known: dict[bytes, float],
) -> dict[str, Any] | None:
    """The fastest design that loses so much on the search's images, and what it loses on the others."""
    least = exact["search_accuracy"] - loss / 100
    allowed = [design for design in designs if design["search_accuracy"] >= least]
    if not allowed:
        return None
    best = min(allowed, key=lambda design: float(design["cycles"]))
    tflite = best["make"]()
    shown = {key: value for key, value in best.items() if key != "make"}
    return {**shown, "test_accuracy": _on_test(tflite, data, known)}


def _front(designs: Sequence[Mapping[str, Any]]) -> list[tuple[float, float]]:
    """(cycles, accuracy on the search's images) of the designs that no other beats, by cycles."""
    return front((float(design["cycles"]), float(design["search_accuracy"])) for design in designs)


def _paper_designs(
    tflite: bytes, data: Cifar10, images: Values, labels: NDArray[np.int64]
) -> list[dict[str, Any]]:
    """Every combination of the layers' thresholds: accuracy on the search's images, cycles of unpacked kernels."""
    graph = read_tflite(tflite)
    known = [layer for layer in stored_layers(tflite, graph) if isinstance(graph.ops[layer.index], Conv2D)][
        1:
    ]
    shares = SHARES["lenet"] if len(known) < 3 else FEW_SHARES
    significance = _relative(
        graph, {layer.index for layer in known}, to_int8(data.train.images[:CALIBRATION_IMAGES])
    )
    whole = _unpacked_cycles(graph)
    variants: dict[int, list[tuple[float, Conv2D, float]]] = {}
    held = graph
    for layer in known:
        op = graph.ops[layer.index]
        assert isinstance(op, Conv2D)
        values = significance[layer.index]
        for share, threshold in zip(shares, share_thresholds(values, shares), strict=True):
            mask = np.moveaxis(threshold_mask(values, threshold), -1, 0)
            weights = graph.tensors[op.weights]
            masked = replace(weights, data=np.where(mask, graph.constant(op.weights), 0).astype(np.int8))
            held, changed = with_constants(held, op, masked, None)
            assert isinstance(changed, Conv2D)
            changed = replace(changed, bias=op.bias)
            alone = replace(held, ops=(*graph.ops[: layer.index], changed, *graph.ops[layer.index + 1 :]))
            cycles = _unpacked_cycles(alone) - whole if share < 1 else 0
            variants.setdefault(layer.index, []).append((share, changed, cycles))
    designs = []
    for chosen, accuracy in _every(held, variants, images, labels):
        picked = {index: variants[index][number] for index, number in chosen.items()}
        designs.append(
            {
                "kept_pairs": {layer.name: picked[layer.index][0] for layer in known},
                "cycles": whole + sum(cycles for _, _, cycles in picked.values()),
                "search_accuracy": accuracy,
                "make": _written(tflite, held, {index: op for index, (_, op, _) in picked.items()}),
            }
        )
    return designs


def _written(tflite: bytes, held: Graph, ops: Mapping[int, Conv2D]) -> Callable[[], bytes]:
    """Makes the file of a design: the weights of these operators in place of those of the file."""

    def make() -> bytes:
        content = bytearray(tflite)
        graph = read_tflite(tflite)
        for index, op in ops.items():
            before = graph.ops[index]
            assert isinstance(before, Conv2D)
            old, new = graph.constant(before.weights).tobytes(), held.constant(op.weights).tobytes()
            if content.count(old) != 1:
                raise ValueError("the file holds the weights of a layer more than once")
            at = content.find(old)
            content[at : at + len(old)] = new
        return bytes(content)

    return make


def _every(
    graph: Graph,
    variants: Mapping[int, Sequence[tuple[float, Conv2D, float]]],
    images: Values,
    labels: NDArray[np.int64],
) -> list[tuple[dict[int, int], float]]:
    """The accuracy of every combination; what combinations have in common is computed once."""
    found: list[tuple[dict[int, int], float]] = []

    def walk(index: int, values: dict[int, Values], chosen: dict[int, int]) -> None:
        for number in range(index, len(graph.ops)):
            if number in variants:
                for place, (_, conv, _) in enumerate(variants[number]):
                    step = computed(graph, conv, values)
                    walk(number + 1, values | {conv.output: step}, chosen | {number: place})
                return
            op = graph.ops[number]
            values = values | {op.output: computed(graph, op, values)}
        answers = values[graph.output].reshape(len(labels), -1).argmax(axis=1)
        found.append((chosen, float((answers == labels).mean())))

    walk(0, {graph.input: images}, {})
    return found


def _relative(graph: Graph, layers: set[int], images: Values) -> dict[int, NDArray[np.float32]]:
    """The mean of |w a| / |sum w a| by operator, in a kernel's shape; see significance.relative."""
    found = {}
    run = Run(graph, [images])
    for index, op in enumerate(graph.ops):
        if index in layers:
            assert isinstance(op, Conv2D)
            kernel = np.moveaxis(graph.constant(op.weights), 0, -1).astype(np.float32)
            kernel = kernel * np.array(graph.tensors[op.weights].quant.scales, np.float32)
            flat = kernel.reshape(-1, kernel.shape[-1])
            total, places = np.zeros(flat.shape, np.float64), 0
            for seen in run.operands(graph, op):
                terms, sums = np.abs(seen) @ np.abs(flat), np.abs(seen @ flat)
                sums = np.maximum(sums, RELATIVE_FLOOR * terms)
                inverse = np.divide(1, sums, out=np.zeros_like(sums), where=sums > 0)
                total += np.abs(seen).T @ inverse
                places += len(seen)
            found[index] = (np.abs(flat) * total / places).reshape(kernel.shape).astype(np.float32)
        run.step(graph, index)
    return found


def _eliminated_designs(
    tflite: bytes, data: Cifar10, images: Values, labels: NDArray[np.int64]
) -> list[dict[str, Any]]:
    """Pairs and whole kernels eliminated at several shares, with all kernels that the exporter has."""
    graph = read_tflite(tflite)
    known = stored_layers(tflite, graph)
    eliminator = Eliminator(graph, known, [to_int8(data.train.images[:ELIMINATION_IMAGES])])
    designs = []
    for granularity in ("pair", "kernel"):
        for kept in ELIMINATED:
            masks = eliminator.masks(Selection(granularity=granularity), kept)
            content = replaced(tflite, eliminator.fitted(masks, in_sequence=True), known)
            designs.append(
                {
                    "granularity": granularity,
                    "kept": kept,
                    "cycles": export.estimate(content, target=CORE).cycles,
                    "search_accuracy": _accuracy(read_tflite(content), images, labels),
                    "make": lambda content=content: content,
                }
            )
    return designs


def _unpacked_cycles(graph: Graph) -> int:
    """Cycles with direct kernels alone."""
    cycles = estimate_schedule(_direct(graph), resolve(CORE)).cycles
    assert cycles is not None
    return cycles


def _direct(graph: Graph) -> Schedule:
    """A network with direct kernels alone: unpacked ones, or loops over weights where less was skipped."""

    def candidates(
        graph: Graph, stage: Stage, target: Target, wanted: Wanted = Wanted.FASTEST
    ) -> list[Candidate]:
        every = Wanted.LESS_FLASH if wanted is Wanted.FASTEST else wanted  # those that Winograd's beat, too
        found = stage_candidates(graph, stage, target, every)
        return [each for each in found if not each.variant.startswith("winograd")]

    return price_network(run_passes(graph), Requirements(resolve(CORE), "auto", None), Remembered(candidates))


def _accuracy(graph: Graph, images: Values, labels: NDArray[np.int64]) -> float:
    return _every(graph, {}, images, labels)[0][1]


def _on_test(tflite: bytes, data: Cifar10, known: dict[bytes, float]) -> float:
    """The share of test images whose class the exported C finds."""
    if tflite not in known:
        with tempfile.TemporaryDirectory() as folder:
            code = export.to_c(tflite, Path(folder) / "out", target=CORE)
            known[tflite] = classified(code.path, data.test)
    return known[tflite]


def table(network: Mapping[str, Any]) -> str:
    """A network's figures as text: cycles, times CMSIS-NN, and the loss on test images."""
    exact, library = network["exact"], network["cmsis_nn_cycles"]

    def cell(design: Mapping[str, Any] | None) -> str:
        if design is None:
            return "none"
        times = f"{library / design['cycles']:.1f}x " if library else ""
        lost = 100 * (design["test_accuracy"] - exact["test_accuracy"])
        return f"{design['cycles'] / 1e6:.2f} M ({times}{lost:+.2f})"

    rows = [("points lost in the search", *(f"{loss}" for loss in LOSSES))]
    rows += [(way, *(cell(network[way][str(loss)]) for loss in LOSSES)) for way in ("paper", "elimination")]
    shown = [
        f"CMSIS-NN {library / 1e6:.2f} M" if library else "",
        f"unpacked, exact {exact['unpacked_cycles'] / 1e6:.2f} M",
        f"exact {exact['cycles'] / 1e6:.2f} M, {exact['test_accuracy']:.2%}",
    ]
    lines = ["  ".join(f"{part:>24}" for part in row) for row in rows]
    return "\n".join(["; ".join(filter(None, shown)), *lines])


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help="default: lenet alexnet")
    parser.add_argument(
        "--model",
        dest="models",
        metavar="NAME=FILE",
        type=_named,
        action="append",
        default=[],
        help="an int8 .tflite of 32 x 32 pixels and 10 classes; can be given again",
    )
    add_data(parser)
    parser.add_argument(
        "--search", type=int, default=1000, help="images to search with (default: %(default)s)"
    )
    add_output(parser, RESULTS)
    options = parser.parse_args(arguments)
    options.networks = options.networks or ([] if options.models else ["lenet", "alexnet"])
    return options


def _named(text: str) -> tuple[str, str]:
    name, sign, path = text.partition("=")
    if not (name and sign and Path(path).is_file()):
        raise argparse.ArgumentTypeError(f"expected NAME=FILE of a file that is there, got {text!r}")
    return name, path


if __name__ == "__main__":
    sys.exit(main())
