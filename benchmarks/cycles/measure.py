"""Measures an exported network, and the baseline's kernels, on one core, and compares outputs with the reference."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import export
from benchmarks.cycles.baseline import write_baseline
from benchmarks.cycles.terms import term_cycles
from export.artifact.compiling import build_arm, build_host
from export.frontend import read_tflite
from export.frontend.reference import run_reference
from export.ir.graph import Graph
from export.passes import run_passes
from export.schedule import Requirements, Schedule, plan_network
from export.schedule.roofline import roofline_cycles
from export.schedule.stage import Stage
from export.targets import Span, Target, resolve


@dataclass(frozen=True)
class Layer:
    """One layer of an export.

    Attributes:
        kind: What it computes.
        kernel: Variant the planner chose.
        macs: Products of the dense layer.
        kept_weights: Weights that are not zero.
        limit: Cycles if nothing but a dual multiply-accumulate for each kept pair ran; None without products.
        predicted: Cycles by the cost model.
        cycles: Simulated, with memories that never wait.
        board_cycles: Simulated with the board's memories, the least and the most, or None.
        flash_bytes: Linked code and constants.
        terms: Predicted cycles by what they are spent on.
    """

    kind: str
    kernel: str
    macs: int
    kept_weights: int
    limit: int | None
    predicted: int | None
    cycles: int
    board_cycles: Span | None
    flash_bytes: int
    terms: Mapping[str, int]


@dataclass(frozen=True)
class Figures:
    """A network's figures on one core.

    Attributes:
        core: Name of the core.
        board: Whose memories are modeled, or None.
        cycles: Of one inference, simulated, with memories that never wait.
        board_cycles: With the board's memories, the least and the most that documents allow, or None.
        predicted_cycles: By the cost model.
        flash_bytes: Of the linked network.
        ram_bytes: Arena and data, without the stack.
        stack_bytes: Deepest stack.
        export_seconds: From .tflite to written C.
        compile_seconds: Compiling and linking with GCC.
        bytes_per_kept_weight: Flash of the unpacked layers over their weights that are not zero; None without such.
        images: How many the emulated core computed exactly as the reference kernels do; cycles are a mean over them.
        layers: In order of execution.
    """

    core: str
    board: str | None
    cycles: int
    board_cycles: Span | None
    predicted_cycles: int
    flash_bytes: int
    ram_bytes: int
    stack_bytes: int
    export_seconds: float
    compile_seconds: float
    bytes_per_kept_weight: float | None
    images: int
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class BaselineFigures:
    """The baseline's figures on one core; the same for any weights."""

    core: str
    cycles: int
    flash_bytes: int
    ram_bytes: int


class NotExactError(Exception):
    """Generated code and the reference kernels disagree."""


def measure(tflite: bytes, name: str, images: NDArray[np.int8], folder: Path, activations: str) -> Figures:
    """Exports a network, compares its outputs with the reference kernels', and measures it.

    Args:
        tflite: The int8 model.
        name: Of the core, or of a board.
        images: int8 [n, *input shape].
        folder: Where the export is written.
        activations: As for `export.to_c`.

    Raises:
        NotExactError: An output byte differs.
    """
    target = resolve(name)
    core = target.core.name
    start = time.perf_counter()
    exported = export.to_c(tflite, folder, target=name, activations=activations)
    export_seconds = time.perf_counter() - start
    start = time.perf_counter()
    build_arm(folder, core)
    compile_seconds = time.perf_counter() - start
    measured = export.simulate(folder, images, core=core)
    _check(f"the export on {core}", measured.outputs, run_reference(tflite, images))
    schedule = plan_network(run_passes(read_tflite(tflite)), Requirements(target, activations))
    layers = _layers(schedule, target, exported.estimate, measured)
    assert exported.estimate.cycles is not None, f"expected {name} to have prices"
    return Figures(
        core=core,
        board=measured.board,
        cycles=measured.cycles,
        board_cycles=measured.board_cycles,
        predicted_cycles=exported.estimate.cycles,
        flash_bytes=measured.flash_bytes,
        ram_bytes=measured.ram_bytes,
        stack_bytes=measured.stack_bytes,
        export_seconds=round(export_seconds, 1),
        compile_seconds=round(compile_seconds, 1),
        bytes_per_kept_weight=_bytes_per_kept_weight(layers),
        images=len(images),
        layers=layers,
    )


def measure_baseline(tflite: bytes, core: str, images: NDArray[np.int8], folder: Path) -> BaselineFigures:
    """The same for the baseline's kernels.

    Raises:
        NotExactError: An output byte differs.
    """
    write_baseline(run_passes(read_tflite(tflite)), folder, core=core)
    measured = export.simulate(folder, images, core=core)
    _check(f"the baseline on {core}", measured.outputs, run_reference(tflite, images))
    return BaselineFigures(core, measured.cycles, measured.flash_bytes, measured.ram_bytes)


def host_outputs(folder: Path, tflite: bytes, images: NDArray[np.int8], compared: int) -> NDArray[np.int8]:
    """What an export computes on this machine, once the first outputs were found to be those of the reference kernels.

    Args:
        folder: The export.
        tflite: The int8 model it was made from.
        images: int8 [n, *input shape].
        compared: How many of the images, the reference kernels being slow.

    Returns:
        int8 [n, *output shape].

    Raises:
        NotExactError: An output byte differs.
    """
    outputs = build_host(folder).run(images)
    _check("the host build", outputs[:compared], run_reference(tflite, images[:compared]))
    return outputs


def _layers(
    schedule: Schedule, target: Target, estimate: export.Estimate, measured: export.Measurement
) -> tuple[Layer, ...]:
    assert target.timing is not None
    found = []
    for stage, predicted, actual in zip(schedule.stages, estimate.layers, measured.per_layer, strict=False):
        terms = {} if stage.plan is None else term_cycles(stage, target.timing)
        found.append(
            Layer(
                kind=predicted.kind,
                kernel=predicted.kernel,
                macs=predicted.macs,
                kept_weights=_kept_weights(schedule.graph, stage),
                limit=roofline_cycles(schedule.graph, stage),
                predicted=predicted.cycles,
                cycles=actual.cycles,
                board_cycles=actual.board_cycles,
                flash_bytes=actual.flash_bytes,
                terms=terms,
            )
        )
    return tuple(found)


def _kept_weights(graph: Graph, stage: Stage) -> int:
    weights = getattr(stage.op, "weights", None)
    return 0 if weights is None else int(np.count_nonzero(graph.constant(weights)))


def _bytes_per_kept_weight(layers: tuple[Layer, ...]) -> float | None:
    unpacked = [layer for layer in layers if layer.kernel == "unpacked"]
    weights = sum(layer.kept_weights for layer in unpacked)
    return round(sum(layer.flash_bytes for layer in unpacked) / weights, 2) if weights else None


def _check(what: str, outputs: NDArray[np.int8], expected: NDArray[np.int8]) -> None:
    wrong = int((outputs != expected).any(axis=tuple(range(1, outputs.ndim))).sum())
    if wrong:
        raise NotExactError(
            f"{what}: {wrong} of {len(outputs)} images differ from the reference kernels; expected none"
        )
