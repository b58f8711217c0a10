"""The manifest of an export: one class that writes it and reads it.

A manifest may come from anywhere, so all that becomes a path, a symbol, a size or a compiler argument is checked when
it is read; names of layers are only ever shown.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, StringConstraints, ValidationError, model_validator

from export.artifact.names import PATTERN
from export.errors import InputError, ModelFormatError
from export.ir.real import quantize
from export.targets.board_file import NAME_PATTERN
from keras_approx.storage.schema import Record, explain, read_bounded
from keras_approx.text import plural

MANIFEST_NAME = "manifest.json"
GENERATOR = "keras_approx"
FORMAT: Literal[3] = 3

MAX_BYTES = 64 << 20  # of the file
_MAX_ELEMENTS = 1 << 26  # of an input or output
_Name = Annotated[str, StringConstraints(pattern=f"^{PATTERN}$")]
_Source = Annotated[str, StringConstraints(pattern=r"^(src/)?[A-Za-z0-9_]{1,120}\.c$")]
_Header = Annotated[str, StringConstraints(pattern=r"^(src/)?[A-Za-z0-9_]{1,120}\.h$")]
_Target = Annotated[str, StringConstraints(pattern=f"^{NAME_PATTERN}$")]
Dtype = Literal["int8", "int32"]
_Count = Annotated[int, Field(ge=0, lt=1 << 40)]
# Whole options: they choose a language or an optimization, and none writes a file or runs another program.
Flag = Literal["-std=c11", "-std=gnu11", "-std=c17", "-std=gnu17", "-O0", "-O1", "-O2", "-O3", "-Os"]


class Generator(Record):
    """The program that wrote an export."""

    name: str
    version: str


class MadeFor(Record):
    """The core that an export was made for, and the board, if any."""

    core: _Target
    board: _Target | None


class TensorInfo(Record):
    """An input or output of the network.

    Attributes:
        name: In C, where there are several.
        shape: Without the batch.
        dtype: "int8", or "int32" for an output of indices.
        scale: Of int8 values; 1 for indices.
        zero_point: Of int8 values; 0 for indices.
    """

    name: _Name
    shape: Annotated[tuple[Annotated[int, Field(ge=1, le=_MAX_ELEMENTS)], ...], Field(max_length=8)]
    dtype: Dtype
    scale: Annotated[float, Field(gt=0)]
    zero_point: Annotated[int, Field(ge=-128, le=127)]

    @model_validator(mode="after")
    def _check_size(self) -> TensorInfo:
        if self.size > _MAX_ELEMENTS:
            raise ValueError(f"a tensor of shape {self.shape} has more than {_MAX_ELEMENTS:,} elements")
        return self

    @property
    def size(self) -> int:
        """Elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * np.dtype(self.dtype).itemsize

    def batch(self, values: np.ndarray) -> np.ndarray:
        """Checks a batch of inputs, and quantizes real ones.

        Args:
            values: int8 or real numbers [n, *shape], or one input [*shape].

        Returns:
            int8 [n, size], contiguous.

        Raises:
            InputError: Another type or shape, or numbers that are not finite.
        """
        real = isinstance(values, np.ndarray) and values.dtype.kind == "f"
        if not isinstance(values, np.ndarray) or not (real or values.dtype == np.int8):
            came = values.dtype if isinstance(values, np.ndarray) else type(values).__name__
            raise InputError(
                f"expected inputs of int8, or real numbers as the float model takes them, got {came}"
            )
        if values.shape == self.shape:
            values = values[np.newaxis]
        if values.shape[1:] != self.shape or values.ndim == len(self.shape):
            raise InputError(
                f"expected inputs of shape [n, {str(list(self.shape))[1:]}, got {list(values.shape)}"
            )
        if real:
            if not np.isfinite(values).all():
                raise InputError("expected finite inputs, got NaN or infinity among them")
            values = quantize(values, self.scale, self.zero_point)
        return np.ascontiguousarray(values.reshape(len(values), self.size))


class LayerInfo(Record):
    """One layer: `name` is the network's own and untrusted, for display only.

    Attributes:
        macs: Products of the dense layer.
        kept_macs: Products whose weight is not zero.
        predicted_cycles: Of one inference; None where the core has no prices.
        predicted_flash_bytes: Code and constants, None likewise.
        roofline_cycles: What its kept pairs take at one a cycle, None without products or dual multiply-accumulates.
        predicted_board_cycles: Of one inference with the board's memories, the least and the most; None where unknown.
        copied_bytes: Its code that runs from RAM.
    """

    index: _Count
    kind: str
    name: str
    source: _Source
    kernel: str
    macs: _Count
    kept_macs: _Count
    predicted_cycles: _Count | None
    predicted_flash_bytes: _Count | None
    roofline_cycles: _Count | None
    predicted_board_cycles: tuple[_Count, _Count] | None
    copied_bytes: _Count

    @model_validator(mode="after")
    def _check_order(self) -> LayerInfo:
        if self.kept_macs > self.macs:
            raise ValueError(f"it keeps {self.kept_macs:,} of {self.macs:,} products")
        if self.predicted_board_cycles and self.predicted_board_cycles[0] > self.predicted_board_cycles[1]:
            raise ValueError(f"its cycles go from {self.predicted_board_cycles[0]:,} to fewer")
        return self


class BufferInfo(Record):
    """An activation in the arena, from the layer that writes it to the last that reads it; `name` is untrusted.

    What a layer's kernels work in has no name.
    """

    name: str | None
    offset: _Count
    size: _Count = Field(alias="bytes")
    first_layer: _Count
    last_layer: _Count


class Manifest(Record):
    """What an export says of itself; file names and flags are checked.

    Attributes:
        format: Of the manifest.
        generator: What wrote the export.
        name: Prefix of every symbol.
        target: What it was generated for.
        sources: C files, in layer order, relative to the export; all in one folder, with the headers.
        headers: Header files, likewise.
        compiler_flags: Options that do not depend on the core.
        inputs: The network's inputs.
        outputs: The network's outputs.
        class_names: What each value of its one output stands for; empty where unknown. Untrusted: for display only.
        arena_bytes: RAM for activations.
        state_bytes: RAM for what is kept from one inference to the next.
        layers: In order of execution.
        buffers: Activations and scratch memory in the arena, in the order in which they are written.
        files: All that the export wrote.
    """

    format: Literal[3]
    generator: Generator
    name: _Name
    target: MadeFor
    sources: Annotated[tuple[_Source, ...], Field(min_length=1)]
    headers: tuple[_Header, ...]
    compiler_flags: tuple[Flag, ...]
    inputs: Annotated[tuple[TensorInfo, ...], Field(min_length=1)]
    outputs: Annotated[tuple[TensorInfo, ...], Field(min_length=1)]
    class_names: tuple[str, ...]
    arena_bytes: _Count
    state_bytes: _Count
    layers: tuple[LayerInfo, ...]
    buffers: tuple[BufferInfo, ...]
    files: tuple[str, ...]

    @model_validator(mode="after")
    def _check_whole(self) -> Manifest:
        for kind, names in (("sources", self.sources), ("headers", self.headers)):
            if len(set(names)) < len(names):
                raise ValueError(f"{kind} names a file twice")
        for place, layer in enumerate(self.layers):
            if layer.index != place:
                raise ValueError("the layers are not numbered in order of execution, from 0 on")
            if layer.source not in self.sources:
                raise ValueError(f"the source of layer {place} is none of sources: {layer.source!r}")
        for buffer in self.buffers:
            if not buffer.first_layer <= buffer.last_layer < len(self.layers):
                raise ValueError(
                    f"a buffer lives from {buffer.first_layer} to {buffer.last_layer} of {len(self.layers)} layers"
                )
            if buffer.offset + buffer.size > self.arena_bytes:
                raise ValueError(
                    f"a buffer ends at byte {buffer.offset + buffer.size:,} of an arena of {self.arena_bytes:,}"
                )
        return self

    def to_bytes(self) -> bytes:
        """The content of the file."""
        text = self.model_dump_json(indent=1, by_alias=True, ensure_ascii=True)
        return text.encode("ascii") + b"\n"

    @property
    def core(self) -> str:
        """Name of the core it was generated for."""
        return self.target.core

    @property
    def board(self) -> str | None:
        """Name of the board, or None."""
        return self.target.board

    @property
    def single(self) -> bool:
        """Whether there is one input and one output, which are plain arguments in C then."""
        return len(self.inputs) == len(self.outputs) == 1

    def pack(self, inputs: Any) -> np.ndarray:
        """The bytes of each inference's inputs, one after the other, see `places`.

        Args:
            inputs: int8 or real numbers [n, *shape], or a single input; a sequence of such arrays where there are
                several inputs.

        Returns:
            uint8 [n, bytes].

        Raises:
            InputError: Another number, type or shape.
        """
        given = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
        if len(given) != len(self.inputs):
            names = ", ".join(info.name for info in self.inputs)
            raise InputError(f"expected {plural(len(self.inputs), 'input')} ({names}), got {len(given)}")
        batches = [info.batch(values) for info, values in zip(self.inputs, given, strict=True)]
        if len({len(batch) for batch in batches}) > 1:
            raise InputError(f"expected as many of each input, got {[len(batch) for batch in batches]}")
        starts, total = places(self.inputs)
        packed = np.zeros((len(batches[0]), total), np.uint8)
        for start, batch in zip(starts, batches, strict=True):
            packed[:, start : start + batch.shape[1]] = batch.view(np.uint8)
        return packed

    def pack_outputs(self, outputs: Any) -> np.ndarray:
        """The bytes of each inference's outputs: the other way round than `unpack`.

        Args:
            outputs: An array [n, *shape], or a tuple of them where there are several outputs.

        Returns:
            uint8 [n, bytes].
        """
        arrays = outputs if isinstance(outputs, tuple) else (outputs,)
        starts, total = places(self.outputs)
        packed = np.zeros((len(arrays[0]), total), np.uint8)
        for start, info, values in zip(starts, self.outputs, arrays, strict=True):
            flat = np.ascontiguousarray(values, info.dtype).reshape(len(values), -1).view(np.uint8)
            packed[:, start : start + info.nbytes] = flat
        return packed

    def unpack(self, packed: np.ndarray) -> Any:
        """The outputs of bytes laid out as `places` says.

        Args:
            packed: uint8 [n, bytes].

        Returns:
            An array [n, *shape], or a tuple of them where there are several outputs.
        """
        starts, _ = places(self.outputs)
        found = [
            np.ascontiguousarray(packed[:, start : start + info.nbytes])
            .view(info.dtype)
            .reshape(len(packed), *info.shape)
            for start, info in zip(starts, self.outputs, strict=True)
        ]
        return found[0] if len(found) == 1 else tuple(found)

    def layer_of(self, symbol: str) -> int | None:
        """Returns the index of the layer a symbol belongs to by its prefix, None for what no layer owns."""
        match = re.match(rf"{self.name}_(\d{{2,5}})_", symbol)
        index = int(match.group(1)) if match else len(self.layers)
        return index if index < len(self.layers) else None


def places(tensors: Sequence[TensorInfo]) -> tuple[tuple[int, ...], int]:
    """Where inputs or outputs lie beside each other, each at a word: byte offsets, and the bytes of all."""
    starts, end = [], 0
    for info in tensors:
        starts.append(-(-end // 4) * 4)
        end = starts[-1] + info.nbytes
    return tuple(starts), end


def read_manifest(out_dir: str | os.PathLike[str]) -> Manifest:
    """Reads and checks `manifest.json` of an exported folder.

    Args:
        out_dir: What `export.to_c` returned, or the folder it wrote.

    Raises:
        ModelFormatError: No manifest is there, it is damaged, of another format, or names what it must not.
    """
    folder = Path(out_dir)
    path = folder / MANIFEST_NAME
    advice = "export the model again with export.to_c"
    try:
        manifest = Manifest.model_validate_json(read_bounded(path, MAX_BYTES))
    except ValidationError as error:
        raise ModelFormatError(
            f"{path} is damaged or not of format {FORMAT}: {explain(error)}; {advice}"
        ) from error
    except FileNotFoundError as error:
        there = (
            f"the folder {str(folder)!r} holds no {MANIFEST_NAME}"
            if folder.is_dir()
            else f"no folder {str(folder)!r}"
        )
        raise ModelFormatError(
            f"{there}: expected what keras-approx export or export.to_c wrote, check the path"
        ) from error
    except (OSError, ValueError) as error:
        raise ModelFormatError(
            f"expected {path} to be the manifest of an export, got: {error}; {advice}"
        ) from error
    for name in (*manifest.sources, *manifest.headers):
        file = folder / name
        if not file.is_file() or file.is_symlink():
            raise ModelFormatError(f"{path} lists {name!r}, which is no file there; {advice}")
    return manifest
