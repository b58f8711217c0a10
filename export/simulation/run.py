"""From an exported folder and inputs to a measurement."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from export.artifact.boards import exported_board
from export.artifact.compiling import build_arm
from export.artifact.linked_elf import LinkedElf
from export.artifact.manifest import Manifest, read_manifest
from export.errors import InputError, TargetError
from export.simulation.emulator import Emulator
from export.simulation.listing import disassemble
from export.simulation.measurement import LayerMeasurement, Measurement
from export.simulation.trace_cycles import BlockCounts, TracePricer
from export.targets import CORES, Board, Span, get_board, get_core, placed_timing


def simulate(
    out_dir: str | os.PathLike[str],
    inputs: Any,
    *,
    core: str | None = None,
    board: str | None = None,
    compiler: str = "gcc",
    max_instructions: int = 4_000_000_000,
) -> Measurement:
    """Cross-compiles an exported network, runs it on an emulated core and prices every executed instruction.

    Args:
        out_dir: What `export.to_c` returned, or the folder it wrote.
        inputs: int8 [n, *input shape], or real numbers, which are quantized; a single input likewise; a sequence of
            such arrays for several inputs. They are run one after the other in the same memory.
        core: Name of the core; the board's, else the one it was exported for, if None.
        board: Name of the board, or the path of a .toml file that describes it; the one it was exported for, if None
            and `core` does not say otherwise.
        compiler: "gcc" or "clang".
        max_instructions: An inference of many more instructions than this is an error.

    Raises:
        InputError: Inputs of another shape or type, or none.
        ModelFormatError: The folder is no export.
        SimulationError: The program faulted, ran too long, returned an error, or executed an instruction
            whose timing is not known.
        TargetError: Core or board are unknown or do not go together, or the network does not fit the board.
        ToolError: A compiler is missing, or the code does not compile.
    """
    manifest = read_manifest(out_dir)
    batch = manifest.pack(inputs)
    if len(batch) == 0:
        raise InputError(f"expected at least one input of shape {list(manifest.inputs[0].shape)}, got none")
    core_name, chosen = _target(out_dir, manifest, core, board)
    image = build_arm(out_dir, core_name, board=chosen, compiler=compiler)
    return run_image(image, batch, board=chosen, max_instructions=max_instructions)


def run_image(
    image: LinkedElf, batch: np.ndarray, *, board: Board | None, max_instructions: int = 4_000_000_000
) -> Measurement:
    """Runs a linked network on an emulated core and prices every executed instruction.

    Args:
        image: What was linked.
        batch: uint8 [n, bytes of the inputs], see `Manifest.pack`.
        board: Whose memories to price, or None.
        max_instructions: As for `simulate`.

    Raises:
        SimulationError: As for `simulate`.
        ToolError: As for `simulate`.
    """
    manifest = image.manifest
    listing = disassemble(image)
    placement = board.place(manifest.arena_bytes + manifest.state_bytes) if board else None
    timing = placed_timing(image.core, placement)
    assert timing is not None
    flash = board.flash if board and placement and placement.waits == 0 else None
    emulator = Emulator(image, listing, flash=flash, timing=timing, max_instructions=max_instructions)
    outputs, traces = [], []
    for values in batch:
        outputs.append(emulator.run(values))
        traces.append(emulator.take())
    pricer = TracePricer(listing, timing, emulator.memories())
    runs = [pricer.price(trace) for trace in traces]
    per_layer = _per_layer(image, runs)
    cycles = sum(layer.cycles for layer in per_layer)
    return Measurement(
        core=image.core.name,
        board=board.name if board else None,
        clock_hz=board.clock_hz if board else None,
        inputs=len(batch),
        outputs=manifest.unpack(np.stack(outputs)),
        cycles=cycles,
        worst_cycles=max(run.cycles.total() for run in runs),
        board_cycles=_total_with_waits(cycles, runs),
        instructions=sum(layer.instructions for layer in per_layer),
        per_layer=per_layer,
        per_function=_per_function(image, runs),
        flash_bytes=image.flash_bytes,
        ram_bytes=image.ram_bytes,
        stack_bytes=emulator.stack_bytes(),
    )


def _target(
    out_dir: str | os.PathLike[str], manifest: Manifest, core: str | None, board: str | None
) -> tuple[str, Board | None]:
    """The core to run on, and the board to measure for."""
    if board is not None:
        chosen = get_board(board)
        if core is not None and get_core(core).name != chosen.core:
            raise TargetError(
                f"{board} has a {chosen.core}, not the {core} that was asked for; pass one of the two"
            )
        return chosen.core, chosen
    name = get_core(core or manifest.core).name
    if CORES[name].timing is None:
        raise TargetError(
            f"expected an Arm core to simulate, got {name!r}; pass core='cortex-m33' (--core cortex-m33) or another"
        )
    exported_for = exported_board(out_dir, manifest)
    return name, exported_for if exported_for and exported_for.core == name else None


def _per_layer(image: LinkedElf, runs: Sequence[BlockCounts]) -> tuple[LayerMeasurement, ...]:
    cycles = _mean_by_layer(image, [run.cycles for run in runs])
    instructions = _mean_by_layer(image, [run.instructions for run in runs])
    waits = [_mean_by_layer(image, reading) for reading in zip(*(run.waits for run in runs), strict=True)]
    known = {layer.index: layer for layer in image.manifest.layers}
    measured = []
    for index in (*known, None):
        layer = known[index] if index is not None else None
        measured.append(
            LayerMeasurement(
                index=index,
                kind=layer.kind if layer else "other",
                name=layer.name if layer else "",
                cycles=cycles[index],
                board_cycles=_with_waits(cycles[index], [reading[index] for reading in waits]),
                instructions=instructions[index],
                flash_bytes=image.flash_by_layer.get(index, 0),
                predicted_cycles=layer.predicted_cycles if layer else None,
            )
        )
    return tuple(measured)


def _with_waits(cycles: int, waits: Sequence[int]) -> Span | None:
    """Cycles with what they wait by every reading of the documents; None where nothing is known of waits."""
    return Span(cycles + min(waits), cycles + max(waits)) if waits else None


def _total_with_waits(cycles: int, runs: Sequence[BlockCounts]) -> Span | None:
    """The same for whole inferences; a mean over them."""
    readings = zip(*(run.waits for run in runs), strict=True)
    return _with_waits(
        cycles, [round(sum(one.total() for one in reading) / len(runs)) for reading in readings]
    )


def _mean_by_layer(image: LinkedElf, runs: Sequence[Counter[int]]) -> Counter[int | None]:
    total: Counter[int | None] = Counter()
    for run in runs:
        for address, count in run.items():
            total[image.layer_at(address)] += count
    return Counter({layer: round(count / len(runs)) for layer, count in total.items()})


def _per_function(image: LinkedElf, runs: Sequence[BlockCounts]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for run in runs:
        for address, count in run.cycles.items():
            total[image.symbol_at(address)] += count
    return {name: round(count / len(runs)) for name, count in total.most_common()}
