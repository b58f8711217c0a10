"""What a report is made from, beside the front: exported folders, measurements of them, and baselines."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from export.artifact.boards import exported_board
from export.artifact.manifest import LayerInfo, Manifest, read_manifest
from export.errors import InputError
from export.reporting.format.text import milliseconds, size
from export.simulation import Measurement
from export.targets import Board
from keras_approx.storage.schema import explain, read_bounded

_MAX_BYTES = 64 << 20
_PathLike = str | os.PathLike[str]
Exports = Mapping[str, _PathLike] | Sequence[_PathLike]


@dataclass(frozen=True)
class Baseline:
    """The exact model by other means, such as another library.

    Attributes:
        name: What to call it.
        cycles: Of one inference on the core that the front was priced for.
    """

    name: str
    cycles: float


@dataclass(frozen=True)
class Exported:
    """An exported design.

    Attributes:
        name: What to call it.
        manifest: What it says of itself.
        measured: What was measured of it, as Measurement.to_dict gives it, or None.
        board: What it was made for, or None.
    """

    name: str
    manifest: Manifest
    measured: Mapping[str, Any] | None
    board: Board | None = None

    @property
    def target(self) -> str:
        """The board, or the core where there is none."""
        return self.manifest.board or self.manifest.core

    def cycles(self, layer: LayerInfo) -> int | None:
        """Cycles of a layer: measured if there is a measurement, otherwise predicted; None where neither is known."""
        if self.measured is None:
            return layer.predicted_cycles
        return next(
            (int(one["cycles"]) for one in self.measured["per_layer"] if one["index"] == layer.index), None
        )

    @property
    def total_cycles(self) -> int:
        """Cycles of all layers where they are known."""
        if self.measured is not None:
            return int(self.measured["cycles"])
        return sum(layer.predicted_cycles or 0 for layer in self.manifest.layers)

    @property
    def priced(self) -> bool:
        """Whether the cycles of some layer are known."""
        return any(self.cycles(layer) is not None for layer in self.manifest.layers)

    @property
    def flash(self) -> str:
        """Bytes of all layers where they are known; empty where none is."""
        known = [layer.predicted_flash_bytes for layer in self.manifest.layers]
        return "" if all(one is None for one in known) else size(sum(one or 0 for one in known))

    @property
    def board_milliseconds(self) -> str | None:
        """Time of one inference with the board's memories, from the least to the most; None where that is unknown."""
        waits = [layer.predicted_board_cycles for layer in self.manifest.layers]
        known = [one for one in waits if one is not None]
        if self.board is None or len(known) < len(waits) or not known:
            return None
        low, high = (sum(ends) for ends in zip(*known, strict=True))
        return milliseconds(self.board, low, high)


def read_exports(
    exports: Exports, measurements: Mapping[str, Measurement | _PathLike]
) -> tuple[Exported, ...]:
    """Reads exported folders, and what was measured of them.

    Args:
        exports: Folders by name, or folders alone, which are called by their names.
        measurements: By the export's name, what `simulate` returned, or the JSON file it saved.

    Raises:
        ModelFormatError: A folder is no export.
        InputError: Two exports have one name, or a measurement is of none of them, of another network or unreadable.
    """
    if not isinstance(exports, Mapping):
        names = [Path(folder).resolve().name for folder in exports]
        if len(set(names)) < len(names):
            raise InputError(
                f"exports have the names {', '.join(names)}: give them as a dict with a name each"
            )
        exports = dict(zip(names, exports, strict=True))
    unknown = sorted(set(measurements) - set(exports))
    if unknown:
        raise InputError(
            f"the measurement {unknown[0]!r} is of no export; exports: {', '.join(exports) or 'none'}"
        )
    found = []
    for name, folder in exports.items():
        manifest = read_manifest(Path(folder))
        measured = _read_measurement(measurements[name]) if name in measurements else None
        if measured is not None and [one["index"] for one in measured["per_layer"]] != [
            *(layer.index for layer in manifest.layers),
            None,
        ]:
            raise InputError(
                f"the measurement of {name!r} has other layers than the export: simulate it again"
            )
        if measured is not None and (measured["core"], measured["board"]) != (manifest.core, manifest.board):
            raise InputError(
                f"the measurement of {name!r} is of {_target(measured['core'], measured['board'])}, the export was "
                f"made for {_target(manifest.core, manifest.board)}: simulate it for that"
            )
        found.append(Exported(name, manifest, measured, exported_board(Path(folder), manifest)))
    return tuple(found)


def _target(core: str, board: str | None) -> str:
    return f"a {core}" if board is None else f"a {core} on {board}"


class _Layer(BaseModel):
    model_config = ConfigDict(strict=True)
    index: int | None
    cycles: Annotated[int, Field(ge=0)]


class _Measured(BaseModel):
    """What is taken from a file that `simulate` saved."""

    model_config = ConfigDict(strict=True)
    core: str
    board: str | None
    inputs: Annotated[int, Field(ge=1)]
    cycles: Annotated[int, Field(ge=0)]
    per_layer: list[_Layer]


def _read_measurement(source: Measurement | _PathLike) -> Mapping[str, Any]:
    if isinstance(source, Measurement):
        return source.to_dict()
    try:
        return _Measured.model_validate_json(read_bounded(Path(source), _MAX_BYTES)).model_dump()
    except (OSError, ValueError) as error:
        reason = explain(error) if isinstance(error, ValidationError) else error
        raise InputError(
            f"expected {str(source)!r} to be a measurement that simulate saved: {reason}"
        ) from error
