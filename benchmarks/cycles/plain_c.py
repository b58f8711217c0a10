"""Measures what plain C takes, and writes the prices by which `export.estimate` counts layers that have no kernels.

    python -m benchmarks.cycles.plain_c                 # all cores; 8 minutes on 2 cores
    python -m benchmarks.cycles.plain_c --check         # compares with layers they were not fitted to; 3 minutes

Layers of each kind and many shapes (see `plain_layers`) are written as plain C, compiled with GCC at -O2 and simulated;
the cycles of each statement and loop are fitted to them by least squares, none below zero, relative errors of long
layers weighted alike. Writes export/costing/plain_c_prices.json.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import numpy as np
from scipy.optimize import nnls

from benchmarks import ROOT
from benchmarks.cycles.plain_layers import FAMILIES, Layers
from benchmarks.shared.options import argument_parser
from export.costing.plain_c import BORDER, LAYER, PlainPrices, plain_cost
from export.ir.graph import Graph
from export.packaging.example import make_sample
from export.packaging.writing import write_schedule
from export.schedule.estimate import estimate_schedule
from export.schedule.network import Requirements, price_network
from export.schedule.stage_work import work_of
from export.simulation import simulate
from export.targets import get_core, resolve

PRICES = ROOT / "export/costing/plain_c_prices.json"
CORES = ("cortex-m33", "cortex-m4", "cortex-m7")
LEAST = 1000
"""Cycles: errors of layers that take fewer count less when prices are fitted."""
_COMPARED = 100  # cycles from which layers are compared with their predictions
_CHECKED = 4  # rounds of layers that prices are compared with


def measure(seed: int, core: str, rounds: int) -> list[tuple[str, Mapping[str, int], int, int]]:
    """Kind, work, cycles and bytes of flash of simulated layers, in rounds with activations of each width in turn."""
    found = []
    for number in range(rounds):
        layers = Layers([seed, number], number)
        for family in FAMILIES:
            family(layers)
        found += _measured(layers.graph(), core, "int8" if (seed + number) % 2 else "int16")
    return found


def _measured(
    graph: Graph, core: str, activations: Literal["int16", "int8"]
) -> list[tuple[str, Mapping[str, int], int, int]]:
    target, rng = resolve(core), np.random.default_rng(0)
    shapes = [graph.tensors[tensor].shape[1:] for tensor in graph.inputs]
    given = [rng.integers(-128, 128, (1, *shape)).astype(np.int8) for shape in shapes]
    schedule = price_network(graph, Requirements(target, activations), lambda *of, **options: [])
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        estimate = estimate_schedule(schedule, target)
        write_schedule(out, schedule, estimate, "model", b"", make_sample(graph))
        measured = simulate(out, given, core=core).per_layer
    return [
        (stage.kind, work_of(graph, stage), layer.cycles, layer.flash_bytes)
        for stage, layer in zip(schedule.stages, measured, strict=False)
    ]


def fit(layers: Sequence[tuple[str, Mapping[str, int], int, int]]) -> dict[str, float]:
    """Cycles of each unit of layers of one kind."""
    units = [
        *sorted(
            {unit for _, work, _, _ in layers for unit, count in work.items() if count and unit != "bytes"}
        ),
        LAYER,
    ]
    counts = np.array([[work.get(unit, 0) for unit in units[:-1]] + [1] for _, work, _, _ in layers], float)
    cycles = np.array([measured for _, _, measured, _ in layers], float)
    weights = 1 / np.maximum(cycles, LEAST)
    solution, _ = nnls(counts * weights[:, None], cycles * weights)
    return {unit: round(float(value), 2) for unit, value in sorted(zip(units, solution, strict=True))}


def fit_all(layers: Sequence[tuple[str, Mapping[str, int], int, int]]) -> dict[str, dict[str, float]]:
    """Cycles of each unit by kind; those of borders, which copies have, are those of any layer."""
    fitted = {
        kind: fit([layer for layer in layers if layer[0] == kind])
        for kind in sorted({kind for kind, *_ in layers})
    }
    borders = [unit for unit in fitted["copy"] if unit.startswith(BORDER)]
    fitted[BORDER] = {unit: fitted["copy"].pop(unit) for unit in borders}
    return fitted


def code_bytes(layers: Sequence[tuple[str, Mapping[str, int], int, int]]) -> dict[str, int]:
    """Bytes of code by kind, constants not counted: the mean."""
    sizes = defaultdict(list)
    for kind, work, _, flash in layers:
        sizes[kind].append(flash - work.get("bytes", 0))
    return {kind: max(0, round(float(np.mean(values)))) for kind, values in sorted(sizes.items())}


def errors(
    layers: Sequence[tuple[str, Mapping[str, int], int, int]], core: str, least: int = _COMPARED
) -> dict[str, list[float]]:
    """Relative errors of predicted cycles by kind; what has no price is off by its all."""
    found = defaultdict(list)
    for kind, work, cycles, _ in layers:
        if cycles < least:
            continue
        cost = plain_cost(kind, work, get_core(core))
        found[kind].append(-1.0 if cost is None else cost.cycles / cycles - 1)
    return dict(found)


def write(prices: PlainPrices) -> None:
    """Writes the file that `export.costing.plain_c` reads."""
    PRICES.write_text(json.dumps(asdict(prices), indent=1) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argument_parser(__doc__)
    parser.add_argument("--check", action="store_true", help="fit nothing, compare with other layers")
    parser.add_argument("--rounds", type=int, default=10, help="of layers (default 10)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    if options.check:
        for core in CORES:
            layers = measure(options.seed + 1, core, _CHECKED)
            for least in (_COMPARED, LEAST):
                for kind, off in errors(layers, core, least).items():
                    span = f"errors {min(off):+.1%} to {max(off):+.1%}"
                    print(f"{core:12} from {least:>5} cycles {kind:18} {len(off):>3} layers, {span}")
        return 0
    measured = {core: measure(options.seed, core, options.rounds) for core in CORES}
    fitted = {core: fit_all(layers) for core, layers in measured.items()}
    write(PlainPrices(fitted, code_bytes(measured[CORES[0]])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
