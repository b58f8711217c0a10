"""Measured cycles beside predicted ones, layer by layer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from export.artifact.boards import exported_board
from export.artifact.manifest import MANIFEST_NAME, LayerInfo, Manifest, read_manifest
from export.errors import InputError
from export.firmware.capture import Capture, Sample
from export.firmware.project import NETWORK_FOLDER, digest_of
from export.targets import Span
from keras_approx.storage.schema import read_bounded
from keras_approx.text import plural

_MAX_BYTES = 64 << 20  # of a simulation's file


@dataclass(frozen=True)
class LayerComparison:
    """One layer.

    Attributes:
        index: Its place in the execution order.
        kind: What it computes.
        name: The network's own name for it; untrusted, for display only.
        predicted: Cycles from the least to the most; None where they are not known.
        measured: The mean of the samples whose caches were warm.
        spread: The least and the most of them.
        hits: Of the instruction cache; None where nothing counts them.
        misses: Likewise.
    """

    index: int
    kind: str
    name: str
    predicted: Span | None
    measured: float
    spread: Span
    hits: int | None
    misses: int | None

    @property
    def off(self) -> float | None:
        """How far the mean is from the predicted range, as a part of its nearer end; 0 within it."""
        return _off(self.measured, self.predicted)


@dataclass(frozen=True)
class Comparison:
    """A run of a firmware beside what was predicted.

    Attributes:
        board: Name of the board.
        clock_hz: The core's clock.
        passed: Whether every output byte was right.
        verdicts: Of the samples: "PASS", or what was wrong.
        layers: In order of execution.
        predicted: Cycles of the whole inference; None where a layer's are not known.
        measured: The mean of the samples whose caches were warm.
        cold: Cycles of the first sample.
        stack_bytes: The deepest the stack was, the firmware's part included.
        basis: What the prediction is for.
        warnings: What makes the figures differ from those of the board.
    """

    board: str
    clock_hz: int
    passed: bool
    verdicts: tuple[str, ...]
    layers: tuple[LayerComparison, ...]
    predicted: Span | None
    measured: float
    cold: int
    stack_bytes: int
    basis: str
    warnings: tuple[str, ...]

    @property
    def off(self) -> float | None:
        """How far the mean is from the predicted range, as for a layer."""
        return _off(self.measured, self.predicted)

    def to_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        content = {**asdict(self), "off": self.off}
        for layer, found in zip(content["layers"], self.layers, strict=True):
            layer["off"] = found.off
        return content


def compare(folder: str | Path, capture: Capture, simulation: Mapping[str, Any] | None = None) -> Comparison:
    """Sets a capture beside what its export predicts.

    Args:
        folder: The firmware project, or the export that it was made of.
        capture: What the firmware printed.
        simulation: What `Measurement.to_dict` gave, to compare with in place of the prediction.

    Raises:
        InputError: The capture is of another export, without cycles, or the simulation is of another board or network.
        ModelFormatError: The folder is neither.
    """
    inner = Path(folder) / NETWORK_FOLDER
    network = inner if (inner / MANIFEST_NAME).is_file() else Path(folder)
    manifest = read_manifest(network)
    digest = digest_of((network / MANIFEST_NAME).read_bytes())
    if capture.digest != digest:
        raise InputError(
            f"expected a capture of the export in {str(folder)!r}, {manifest.name} ({digest}), got one of "
            f"{capture.network} ({capture.digest}): give its own folder, or build and run the firmware again"
        )
    if not capture.counted:
        raise InputError(
            "there are no cycles to compare: the core counted none, as in an emulator; run the firmware on the board"
        )
    ran = [sample for sample in capture.samples if sample.cycles is not None]
    if not ran:
        raise InputError(f"there are no cycles to compare: no sample ran, {capture.samples[0].verdict}")
    if len(ran[0].layers) != len(manifest.layers):
        raise InputError(
            f"expected cycles of {plural(len(manifest.layers), 'layer')}, got {len(ran[0].layers)}"
        )
    cold, warm = ran[0].cycles, ran[1:] or ran
    assert cold is not None
    predicted, basis = _predictions(network, manifest, capture, simulation)
    layers = [_layer(layer, predicted[layer.index], warm, capture) for layer in manifest.layers]
    return Comparison(
        board=capture.board,
        clock_hz=capture.clock_hz,
        passed=capture.passed,
        verdicts=tuple(sample.verdict for sample in capture.samples),
        layers=tuple(layers),
        predicted=_sum(predicted),
        measured=sum(sample.cycles or 0 for sample in warm) / len(warm),
        cold=cold,
        stack_bytes=capture.stack_bytes,
        basis=basis,
        warnings=tuple(capture.warnings),
    )


def _layer(
    layer: LayerInfo, predicted: Span | None, samples: Sequence[Sample], capture: Capture
) -> LayerComparison:
    """A layer of the export beside what samples measured."""
    found = [sample.layers[layer.index] for sample in samples]
    counted = capture.hits and layer.index < len(capture.hits)
    return LayerComparison(
        index=layer.index,
        kind=layer.kind,
        name=layer.name,
        predicted=predicted,
        measured=sum(found) / len(found),
        spread=Span(min(found), max(found)),
        hits=capture.hits[layer.index] if counted else None,
        misses=capture.misses[layer.index] if counted else None,
    )


def read_simulation(path: str | Path) -> Mapping[str, Any]:
    """Reads what `keras-approx simulate --json` saved.

    Raises:
        InputError: It is something else.
    """
    try:
        content = json.loads(read_bounded(Path(path), _MAX_BYTES))
        layers = [(layer["index"], layer["cycles"], layer["board_cycles"]) for layer in content["per_layer"]]
        if not isinstance(content["board"], str | None) or not all(_is_layer(*layer) for layer in layers):
            raise TypeError("layers without cycles")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"expected {str(path)!r} to be what keras-approx simulate --json saved, got: {error!r}"
        ) from error
    return dict(content)


def _is_layer(index: Any, cycles: Any, board_cycles: Any) -> bool:
    spans = board_cycles is None or (
        isinstance(board_cycles, list)
        and len(board_cycles) == 2
        and all(isinstance(end, int | float) and isfinite(end) for end in board_cycles)
    )
    return isinstance(index, int | None) and isinstance(cycles, int) and spans


def _predictions(
    network: Path, manifest: Manifest, capture: Capture, simulation: Mapping[str, Any] | None
) -> tuple[list[Span | None], str]:
    """What each layer should take, and what these figures are for."""
    board = exported_board(network, manifest)
    full_speed = board is not None and board.name == capture.board and board.clock_hz == capture.clock_hz
    if simulation is not None:
        known = {layer["index"]: layer for layer in simulation["per_layer"] if layer["index"] is not None}
        if simulation["board"] != capture.board or set(known) != {layer.index for layer in manifest.layers}:
            raise InputError(
                f"expected a simulation of this network on {capture.board}, got one on {simulation['board']} with "
                f"{plural(len(known), 'layer')}: keras-approx simulate OUT_DIR --board {capture.board} --json FILE"
            )
        layers = [known[layer.index] for layer in manifest.layers]
        if capture.wait_states and all(layer["board_cycles"] is not None for layer in layers):
            return [Span(*layer["board_cycles"]) for layer in layers], "simulation with the board's memories"
        return [Span(layer["cycles"], layer["cycles"]) for layer in layers], "simulation without waits"
    if full_speed:
        known_waits = [layer.predicted_board_cycles for layer in manifest.layers]
        if all(found is not None for found in known_waits):
            return [
                None if found is None else Span(*found) for found in known_waits
            ], "export, with the board's memories"
    without = [layer.predicted_cycles for layer in manifest.layers]
    return [None if found is None else Span(found, found) for found in without], "export, without waits"


def _sum(spans: Sequence[Span | None]) -> Span | None:
    known = [span for span in spans if span is not None]
    if len(known) < len(spans):
        return None
    return Span(sum(span.low for span in known), sum(span.high for span in known))


def _off(measured: float, predicted: Span | None) -> float | None:
    if predicted is None or predicted.low <= 0:
        return None
    if measured < predicted.low:
        return measured / predicted.low - 1
    return max(0.0, measured / predicted.high - 1)
