"""Reading an export's manifest.

A manifest may come from anywhere, so whatever becomes a path, a symbol or a compiler argument is checked
against a strict pattern first; names of layers are only ever shown.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export.errors import InputError, ModelFormatError

MANIFEST_NAME = "manifest.json"
FORMAT = 2

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_SOURCE = re.compile(r"[A-Za-z0-9_]{1,120}\.c")
_HEADER = re.compile(r"[A-Za-z0-9_]{1,120}\.h")
_CORE = re.compile(r"[a-z0-9-]{1,32}")
# Options that choose a language, an optimization or a warning; none that names a file, a plugin or another
# program.
_FLAG = re.compile(
    r"-std=(c|gnu)(11|17)|-O([0-3sgz]|fast)|-f(no-)?[a-z][a-z-]*(=[0-9]+)?|-W(no-)?[a-z][a-z-]*(=[0-9]+)?"
)


@dataclass(frozen=True)
class TensorInfo:
    """An input or output of the network.

    Attributes:
        name: in C, where there are several.
        shape: without the batch.
        dtype: "int8", or "int32" for an output of indices.
        scale: of int8 values; 1 for indices.
        zero_point: of int8 values; 0 for indices.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int

    @property
    def size(self) -> int:
        """Elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * np.dtype(self.dtype).itemsize

    def batch(self, values: np.ndarray) -> np.ndarray:
        """Checks a batch of inputs.

        Args:
            values: int8 [n, *shape], or one input, int8 [*shape].

        Returns:
            int8 [n, size], contiguous.

        Raises:
            InputError: Another type or shape.
        """
        if not isinstance(values, np.ndarray) or values.dtype != np.int8:
            came = values.dtype if isinstance(values, np.ndarray) else type(values).__name__
            raise InputError(
                f"expected int8 inputs, got {came}; quantize with scale {self.scale:g} and zero point "
                f"{self.zero_point}"
            )
        if values.shape == self.shape:
            values = values[np.newaxis]
        if values.shape[1:] != self.shape or values.ndim == len(self.shape):
            raise InputError(
                f"expected inputs of shape [n, {str(list(self.shape))[1:]}, got {list(values.shape)}"
            )
        return np.ascontiguousarray(values.reshape(len(values), self.size))


@dataclass(frozen=True)
class LayerInfo:
    """One layer: `name` is the network's own and untrusted, for display only.

    Attributes:
        macs: products of the dense layer.
        kept_macs: products whose weight is not zero.
        predicted_cycles: of one inference, None for plain C.
        predicted_flash_bytes: code and constants, None likewise.
        roofline_cycles: what its kept pairs take at one a cycle, None without products or dual multiply-accumulates.
    """

    index: int
    kind: str
    name: str
    kernel: str
    macs: int
    kept_macs: int
    predicted_cycles: int | None
    predicted_flash_bytes: int | None
    roofline_cycles: int | None


@dataclass(frozen=True)
class BufferInfo:
    """An activation in the arena, from the layer that writes it to the last that reads it; `name` is untrusted."""

    name: str
    offset: int
    size: int
    first_layer: int
    last_layer: int


@dataclass(frozen=True)
class Manifest:
    """What an export says of itself; file names and flags are checked.

    Attributes:
        name: Prefix of every symbol.
        core: Name of the core it was generated for.
        board: Name of the board, or None.
        sources: C files, in layer order, relative to the export.
        headers: Header files, likewise.
        compiler_flags: Options that do not depend on the core.
        inputs: The network's inputs.
        outputs: The network's outputs.
        arena_bytes: RAM for activations.
        state_bytes: RAM for what is kept from one inference to the next.
        layers: In order of execution.
        buffers: Activations in the arena, in the order in which they are written.
    """

    name: str
    core: str
    board: str | None
    sources: tuple[str, ...]
    headers: tuple[str, ...]
    compiler_flags: tuple[str, ...]
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    arena_bytes: int
    state_bytes: int
    layers: tuple[LayerInfo, ...]
    buffers: tuple[BufferInfo, ...]

    @property
    def single(self) -> bool:
        """Whether there is one input and one output, which are plain arguments in C then."""
        return len(self.inputs) == len(self.outputs) == 1

    def pack(self, inputs: Any) -> np.ndarray:
        """The bytes of each inference's inputs, one after the other, see `places`.

        Args:
            inputs: int8 [n, *shape] or a single input; a sequence of such arrays where there are several inputs.

        Returns:
            uint8 [n, bytes].

        Raises:
            InputError: Another number, type or shape.
        """
        given = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
        if len(given) != len(self.inputs):
            names = ", ".join(info.name for info in self.inputs)
            raise InputError(f"expected {len(self.inputs)} inputs ({names}), got {len(given)}")
        batches = [info.batch(values) for info, values in zip(self.inputs, given, strict=True)]
        if len({len(batch) for batch in batches}) > 1:
            raise InputError(f"expected as many of each input, got {[len(batch) for batch in batches]}")
        starts, total = places(self.inputs)
        packed = np.zeros((len(batches[0]), total), np.uint8)
        for start, batch in zip(starts, batches, strict=True):
            packed[:, start : start + batch.shape[1]] = batch.view(np.uint8)
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
        match = re.match(rf"{self.name}_(\d{{2,4}})_", symbol)
        index = int(match.group(1)) if match else None
        return index if any(layer.index == index for layer in self.layers) else None


def places(tensors: Sequence[TensorInfo]) -> tuple[tuple[int, ...], int]:
    """Where inputs or outputs lie beside each other, each at a word: byte offsets, and the bytes of all."""
    starts, end = [], 0
    for info in tensors:
        starts.append(-(-end // 4) * 4)
        end = starts[-1] + info.nbytes
    return tuple(starts), end


def read_manifest(out_dir: str | Path) -> Manifest:
    """Reads and checks `manifest.json` of an exported folder.

    Args:
        out_dir: The folder `export.to_c` wrote.

    Raises:
        ModelFormatError: No manifest is there, it is damaged, of another format, or names what it must not.
    """
    folder = Path(out_dir)
    path = folder / MANIFEST_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelFormatError(
            f"expected {path} to be the manifest of an export, got: {error}; export the model again with "
            "export.to_c"
        ) from error
    try:
        manifest = _parse(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelFormatError(
            f"{path} is damaged or not of format {FORMAT}: {error!r}; export the model again with export.to_c"
        ) from error
    for name in (*manifest.sources, *manifest.headers):
        file = folder / name
        if not file.is_file() or file.is_symlink():
            raise ModelFormatError(f"{path} lists {name!r}, which is no file there; export the model again")
    return manifest


def _parse(content: Any) -> Manifest:
    if content["format"] != FORMAT:
        raise ValueError(f"format {content['format']!r}")
    target = content["target"]
    board = target["board"]
    return Manifest(
        name=_matching(_NAME, content["name"]),
        core=_matching(_CORE, target["core"]),
        board=None if board is None else _matching(_CORE, board),
        sources=tuple(_matching(_SOURCE, source) for source in content["sources"]),
        headers=tuple(_matching(_HEADER, header) for header in content["headers"]),
        compiler_flags=tuple(_matching(_FLAG, flag) for flag in content["compiler_flags"]),
        inputs=tuple(_tensor(tensor, ("int8",)) for tensor in content["inputs"]),
        outputs=tuple(_tensor(tensor, ("int8", "int32")) for tensor in content["outputs"]),
        arena_bytes=_count(content["arena_bytes"]),
        state_bytes=_count(content["state_bytes"]),
        layers=tuple(_layer(layer) for layer in content["layers"]),
        buffers=tuple(_buffer(buffer) for buffer in content["buffers"]),
    )


def _tensor(content: Mapping[str, Any], dtypes: Sequence[str]) -> TensorInfo:
    dtype = content["dtype"]
    if dtype not in dtypes:
        raise ValueError(f"dtype {dtype!r}, expected {' or '.join(dtypes)}")
    shape = tuple(_count(extent) for extent in content["shape"])
    name = _matching(_NAME, content["name"])
    return TensorInfo(name, shape, dtype, float(content["scale"]), int(content["zero_point"]))


def _layer(content: Mapping[str, Any]) -> LayerInfo:
    return LayerInfo(
        index=_count(content["index"]),
        kind=str(content["kind"]),
        name=str(content["name"]),
        kernel=str(content["kernel"]),
        macs=_count(content["macs"]),
        kept_macs=_count(content["kept_macs"]),
        predicted_cycles=_optional(content["predicted_cycles"]),
        predicted_flash_bytes=_optional(content["predicted_flash_bytes"]),
        roofline_cycles=_optional(content["roofline_cycles"]),
    )


def _buffer(content: Mapping[str, Any]) -> BufferInfo:
    return BufferInfo(
        name=str(content["name"]),
        offset=_count(content["offset"]),
        size=_count(content["bytes"]),
        first_layer=_count(content["first_layer"]),
        last_layer=_count(content["last_layer"]),
    )


def _optional(value: Any) -> int | None:
    return None if value is None else _count(value)


def _matching(pattern: re.Pattern[str], value: Any) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError(f"{value!r} does not match {pattern.pattern}")
    return value


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 40:
        raise ValueError(f"{value!r} is no count")
    return value
