"""Measures what plain C takes, and writes the prices by which `export.estimate` counts layers that have no kernels.

    python -m benchmarks.cycles.plain_c                 # all cores; 5 minutes on 2 cores
    python -m benchmarks.cycles.plain_c --check         # compares with layers they were not fitted to; 3 minutes

Layers of each kind and many shapes are written as plain C, compiled with GCC at -O2 and simulated; the cycles of each
statement and loop are fitted to them by least squares, none below zero, relative errors weighted alike. Writes
export/costing/plain_c_prices.json.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np
from scipy.optimize import nnls

from benchmarks import ROOT
from benchmarks.shared.options import argument_parser
from export.costing.plain_c import LAYER, PlainPrices, plain_cost
from export.csource.work import loop_units
from export.ir.graph import Graph, State
from export.ir.ops import (
    Add,
    AveragePool2D,
    Concatenation,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    LogSoftmax,
    Mean,
    Op,
    Padding,
    Reshape,
    Softmax,
)
from export.ir.tensor import Quantization, Tensor
from export.operators.elementwise.arithmetic import Arithmetic
from export.operators.movement.move import move
from export.operators.movement.pad import Fill
from export.operators.movement.resize import ResizeBilinear
from export.operators.products.matmul import MatMul
from export.operators.reductions.reduce import ArgMax, Reduce
from export.operators.states.lstm import Gate, Lstm
from export.operators.states.svdf import Svdf
from export.packaging.example import make_sample
from export.packaging.writing import write_schedule
from export.schedule.estimate import estimate_schedule
from export.schedule.network import Requirements, price_network
from export.schedule.stage_work import work_of
from export.simulation import simulate
from export.targets import get_core, resolve

PRICES = ROOT / "export/costing/plain_c_prices.json"
CORES = ("cortex-m33", "cortex-m4", "cortex-m7")
LEAST = 100
"""Cycles: layers that take fewer are left out, since a cycle is more than a percent of them."""
_SMALL = 1 / 3
_CHECKED = 6  # layers of each kind that prices are compared with
_TOGETHER = 4  # layers of each kind in a network
_TURNS = 4  # of the units of a loop: those that are a turn
_WIDE = 72  # pixels of a window that kernels do not average


class Layers:
    """Grows a graph of single layers, each with inputs of its own kind and an output.

    Args:
        seed: Of shapes and values.
    """

    def __init__(self, seed: Sequence[int]) -> None:
        self.rng = np.random.default_rng(seed)
        self.tensors: list[Tensor] = []
        self.ops: list[Op] = []
        self.states: list[State] = []
        self.inputs: dict[tuple[int, ...], int] = {}

    def extent(self, most: int) -> int:
        """A random extent; a third are so small that compilers unroll their loops."""
        return int(self.rng.integers(1, 4) if self.rng.random() < _SMALL else self.rng.integers(4, most + 1))

    def shape(self, most: int = 12, channels: int = 32) -> tuple[int, int, int, int]:
        """An image."""
        return 1, self.extent(most), self.extent(most), self.extent(channels)

    def tensor(self, shape: Sequence[int], dtype: str = "int8", data: Any = None, scale: float = 0.05) -> int:
        quantization = None if dtype == "int32" else Quantization((scale,), (3,))
        self.tensors.append(Tensor(f"t{len(self.tensors)}", tuple(shape), dtype, quantization, data))
        return len(self.tensors) - 1

    def input(self, shape: Sequence[int]) -> int:
        key = tuple(shape)
        if key not in self.inputs:
            self.inputs[key] = self.tensor(key)
        return self.inputs[key]

    def constant(self, shape: Sequence[int]) -> int:
        return self.tensor(shape, data=self.rng.integers(-128, 128, shape).astype(np.int8))

    def weights(self, shape: Sequence[int], channels: int) -> dict[str, int]:
        values = self.rng.integers(-127, 128, shape).astype(np.int8)
        held = Tensor("w", tuple(shape), "int8", Quantization((0.002,), (0,)), values)
        bias = Tensor("b", (channels,), "int32", Quantization((1e-4,), (0,)), np.zeros(channels, np.int32))
        self.tensors += [held, bias]
        return {"weights": len(self.tensors) - 2, "bias": len(self.tensors) - 1}

    def graph(self) -> Graph:
        outputs = tuple(op.output for op in self.ops)
        return Graph(
            tuple(self.tensors), tuple(self.ops), tuple(self.inputs.values()), outputs, tuple(self.states)
        )


def _arithmetic(n: Layers) -> None:
    for function in ("add", "mul", "prelu", "maximum", "sub"):
        x = n.shape()
        others = [n.constant((1, x[3])), n.input(x), n.constant((1, x[1], 1, 1)), n.constant((1, 1))]
        y = others[int(n.rng.integers(len(others)))]
        n.ops.append(Arithmetic((n.input(x), y), n.tensor(x), function, (-128, 127)))


def _moves(n: Layers) -> None:
    x = n.shape()
    index = np.arange(int(np.prod(x))).reshape(x)
    for axis, extent in ((3, int(n.rng.integers(9, 24))), (2, 5)):
        taken = index.take(n.rng.integers(0, x[axis], extent), axis)
        n.ops.append(move(n.input(x), n.tensor(taken.shape), taken))
    padded = (1, x[1] + 2, x[2] + 1, x[3] + 3)
    places = np.arange(int(np.prod(padded))).reshape(padded)[:, 1:-1, :-1, 2:-1]
    made = move(0, 0, places)
    n.ops.append(Fill((n.input(x),), n.tensor(padded), 5, made.start, made.offsets))
    joined = (1, 2, *x[1:])
    n.ops.append(Concatenation((n.input((1, 1, *x[1:])),) * 2, n.tensor(joined), 1))


def _reshapes(n: Layers) -> None:
    """Reshapes of images with gaps between pixels, whose dimensions are not those of the output split or joined."""
    x, channels = n.shape(), 2 * n.extent(16) + 1
    held: Any = n.weights((channels, 1, 1, x[3]), channels)
    image = n.tensor((*x[:3], channels))
    fields: dict[str, Any] = {
        "stride": (1, 1),
        "dilation": (1, 1),
        "padding": Padding(),
        "clamp": (-128, 127),
    }
    n.ops.append(Conv2D((n.input(x),), image, **held, **fields))
    n.ops.append(Reshape((image,), n.tensor((1, channels, *x[1:3]))))


def _reductions(n: Layers) -> None:
    x = n.shape()
    for function, axes in (
        ("mean", (3,)),
        ("sum", (1,)),
        ("max", (1, 2)),
        ("max", (2,)),
        ("mean", (1, 2, 3)),
    ):
        shape = [1 if axis in axes else extent for axis, extent in enumerate(x)]
        n.ops.append(Reduce((n.input(x),), n.tensor(shape), function, axes))  # type: ignore[arg-type]
    for axis in (1, 3):
        shape = [1 if at == axis else extent for at, extent in enumerate(x)]
        n.ops.append(ArgMax((n.input(x),), n.tensor(shape, "int32"), axis, bool(n.rng.random() < 0.5)))
    for image in (x, n.shape(), n.shape()):
        n.ops.append(Mean((n.input(image),), n.tensor((1, image[3]))))


def _pools(n: Layers) -> None:
    """Pools of windows that are too large for kernels."""
    height, width = (_WIDE + n.rng.integers(0, 9, 2)).tolist()
    down, across, channels = n.rng.integers((0, 0, 1), (2, 2, 4)).tolist()
    out = n.tensor((1, 1 + down, 1 + across, channels))
    kernel = (height - down, width - across)
    n.ops.append(
        AveragePool2D((n.input((1, height, width, channels)),), out, kernel, (1, 1), Padding(), (-128, 127))
    )


def _products(n: Layers) -> None:
    _convolutions(n, n.shape(8), n.extent(16))
    _convolutions(n, (*n.shape(8)[:3], 1), 1)
    x = n.shape(8)
    n.ops.append(Add((n.input(x), n.constant(x)), n.tensor(x), (-128, 127)))
    rows, inner, columns = n.rng.integers(4, 20, 3).tolist()
    shapes = (1, rows, inner), (1, inner, columns)
    operands = n.input(shapes[0]), n.constant(shapes[1])
    n.ops.append(MatMul(operands, n.tensor((1, rows, columns)), shapes, (False, False)))


def _convolutions(n: Layers, x: tuple[int, int, int, int], channels: int) -> None:
    """The layers of an image that multiply weights; a dense one of as many channels."""
    kernel = [min(int(n.rng.integers(1, 4)), extent) for extent in x[1:3]]
    size = [x[1 + axis] - kernel[axis] + 1 for axis in range(2)]
    fields: dict[str, Any] = {
        "stride": (1, 1),
        "dilation": (1, 1),
        "padding": Padding(),
        "clamp": (-128, 127),
    }
    held: Any = n.weights((channels, *kernel, x[3]), channels)
    n.ops.append(Conv2D((n.input(x),), n.tensor((1, *size, channels)), **held, **fields))
    held = n.weights((1, *kernel, x[3]), x[3])
    n.ops.append(DepthwiseConv2D((n.input(x),), n.tensor((1, *size, x[3])), **held, **fields, multiplier=1))
    depth = int(n.rng.integers(8, 200))
    held = n.weights((channels, depth), channels)
    n.ops.append(FullyConnected((n.input((1, depth)),), n.tensor((1, channels)), **held, clamp=(-128, 127)))


def _others(n: Layers) -> None:
    x = n.shape()
    rows, columns = (
        [(i % extent, min(i % extent + 1, extent - 1), 512) for i in range(9)] for extent in x[1:3]
    )
    n.ops.append(ResizeBilinear((n.input(x),), n.tensor((1, 9, 9, x[3])), tuple(rows), tuple(columns)))
    classes = int(n.rng.integers(512, 1200))
    n.ops.append(Softmax((n.input((1, classes)),), n.tensor((1, classes), scale=1 / 256), 1.0))
    for extents in (n.shape(), (1, classes)):
        n.ops.append(LogSoftmax((n.input(extents),), n.tensor(extents, scale=1 / 16)))
    units, inputs, steps = n.rng.integers(3, 20, 3).tolist()
    gates = tuple(
        Gate(
            n.rng.integers(-127, 128, units * inputs).astype(np.int8).tobytes(),
            n.rng.integers(-127, 128, units * units).astype(np.int8).tobytes(),
            tuple(n.rng.integers(-9999, 9999, units).tolist()),
            tuple(n.rng.integers(-9999, 9999, units).tolist()),
            (1 << 30, -4),
            (1 << 30, -4),
        )
        for _ in range(4)
    )
    held = [n.tensor((1, units)), n.tensor((1, units), "int16")]
    n.states += [
        State(held[0], None, np.zeros((1, units), np.int8)),
        State(held[1], None, np.zeros((1, units), np.int16)),
    ]
    out = n.tensor((1, steps, units))
    n.ops.append(Lstm((n.input((1, steps, inputs)), *held), out, gates, 11, 20480, (1 << 30, -21), 3))
    filters, memory, depth = 2 * units, int(n.rng.integers(3, 12)), int(n.rng.integers(4, 40))
    kept = n.tensor((1, filters * memory), "int16")
    n.states.append(State(kept, None, np.zeros((1, filters * memory), np.int16)))
    feature = n.rng.integers(-127, 128, filters * depth).astype(np.int8).tobytes()
    time = n.rng.integers(-3000, 3000, filters * memory).astype(np.int16).tobytes()
    multipliers = ((1 << 30, -6), (1 << 30, -12))
    made = Svdf(
        (n.input((1, depth)), kept), n.tensor((1, units)), feature, time, (0,) * units, 2, *multipliers
    )
    n.ops.append(made)


FAMILIES = (_arithmetic, _moves, _reshapes, _reductions, _pools, _products, _others)


def measure(seed: int, core: str, repeats: int) -> list[tuple[str, Mapping[str, int], int, int]]:
    """Kind, work, cycles and bytes of flash of simulated layers that take `LEAST` cycles or more."""
    found = []
    for start in range(0, repeats, _TOGETHER):
        layers = Layers([seed, start])
        for _ in range(min(_TOGETHER, repeats - start)):
            for family in FAMILIES:
                family(layers)
        for activations in ("int16", "int8"):
            found += _measured(layers.graph(), core, activations)
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
        if layer.cycles >= LEAST
    ]


def fit(layers: Sequence[tuple[str, Mapping[str, int], int, int]]) -> dict[str, float]:
    """Cycles of each unit of layers of one kind, and of those that other layers of the kind may have."""
    units = [*sorted({unit for _, work, _, _ in layers for unit in work if unit != "bytes"}), LAYER]
    counts = np.array([[work.get(unit, 0) for unit in units[:-1]] + [1] for _, work, _, _ in layers], float)
    cycles = np.array([measured for _, _, measured, _ in layers], float)
    weights = 1 / cycles
    solution, _ = nnls(counts * weights[:, None], cycles * weights)
    found = {unit: round(float(value), 2) for unit, value in zip(units, solution, strict=True)}
    more: dict[str, float] = {}
    for unit in {re.sub(r" of \d$", "", unit) for unit in found if f"{unit} loop" in found or " of " in unit}:
        once = loop_units(unit)[:_TURNS]
        least = min(found[name] for name in once if name in found)
        more |= {name: found.get(unit, least) for name in once if name not in found}
        more |= {name: 0.0 for name in loop_units(unit)[_TURNS:] if name not in found}
    return dict(sorted((found | more).items()))


def code_bytes(layers: Sequence[tuple[str, Mapping[str, int], int, int]]) -> dict[str, int]:
    """Bytes of code by kind, constants not counted: the mean."""
    sizes = defaultdict(list)
    for kind, work, _, flash in layers:
        sizes[kind].append(flash - work.get("bytes", 0))
    return {kind: max(0, round(float(np.mean(values)))) for kind, values in sorted(sizes.items())}


def errors(layers: Sequence[tuple[str, Mapping[str, int], int, int]], core: str) -> dict[str, list[float]]:
    """Relative errors of predicted cycles by kind."""
    found = defaultdict(list)
    for kind, work, cycles, _ in layers:
        cost = plain_cost(kind, work, get_core(core))
        assert cost is not None
        found[kind].append(cost.cycles / cycles - 1)
    return dict(found)


def write(prices: PlainPrices) -> None:
    """Writes the file that `export.costing.plain_c` reads."""
    PRICES.write_text(json.dumps(asdict(prices), indent=1) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argument_parser(__doc__)
    parser.add_argument("--check", action="store_true", help="fit nothing, compare with other layers")
    parser.add_argument("--repeats", type=int, default=20, help="layers of each kind (default 20)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    if options.check:
        for core in CORES:
            for kind, off in errors(measure(options.seed + 1, core, _CHECKED), core).items():
                print(f"{core:12} {kind:18} {len(off):>3} layers, errors {min(off):+.1%} to {max(off):+.1%}")
        return 0
    measured = {core: measure(options.seed, core, options.repeats) for core in CORES}
    kinds = sorted({kind for kind, *_ in measured[CORES[0]]})
    fitted = {
        core: {kind: fit([layer for layer in layers if layer[0] == kind]) for kind in kinds}
        for core, layers in measured.items()
    }
    write(PlainPrices(fitted, code_bytes(measured[CORES[0]])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
