"""Writes the project of a firmware that runs an exported network on a board."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.analysis.interpreter import run
from export.artifact.boards import BOARD_FILE, exported_board
from export.artifact.compiling import network_call
from export.artifact.folder import check_replaceable, write_folder
from export.artifact.manifest import MANIFEST_NAME, Manifest, places, read_manifest
from export.errors import InputError, ModelFormatError, TargetError
from export.firmware.board_files import board_header, memory_script, startup_of
from export.frontend import read_tflite
from export.targets import FAMILIES, Board, Placement, get_board, get_core

NETWORK_FOLDER = "network"
_ALIGNMENT = 8  # of inputs and outputs
_OWN_BYTES = 256  # variables of the firmware beside outputs and the layers' figures
_LAYER_BYTES = 12
_COMMON = (
    *(
        "arm-none-eabi.cmake",
        "chip.h",
        "main.c",
        "output.h",
        "output_semihosting.c",
        "output_uart.c",
        "print.c",
    ),
    *("print.h", "registers.h", "samples.h", "sections.ld", "stack.h", "startup.c"),
)
_INCLUDED = re.compile(r'#include "(\w+\.h)"')


@dataclass(frozen=True)
class Firmware:
    """A firmware project.

    Attributes:
        path: Its folder.
        board: What it runs on.
        samples: How many inputs it holds.
        predicted: Whether the export's predictions are for that board.
    """

    path: Path
    board: Board
    samples: int
    predicted: bool


def write_firmware(
    out_dir: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    board: str | None = None,
    inputs: Any = None,
    samples: int = 3,
) -> Firmware:
    """Writes a project that runs an exported network on a board and prints what it takes.

    Args:
        out_dir: What `export.to_c` returned, or the folder it wrote.
        folder: The folder to write, new or empty.
        board: Name of the board, or the path of a .toml file that describes it; the one it was exported for if None.
        inputs: int8 [n, *input shape], a sequence of such arrays for several inputs; random ones if None.
        samples: How many random ones; the first inference fills the caches.

    Returns:
        What was written.

    Raises:
        InputError: Inputs of another shape or type, or none.
        ModelFormatError: `out_dir` is no export, or holds no model to expect outputs of.
        OutputPathError: `folder` cannot be written, or holds something.
        TargetError: The board is unknown, cannot be started, or is too small.
    """
    manifest = read_manifest(out_dir)
    chosen = _board(out_dir, manifest, board)
    startup = startup_of(chosen)
    placement = _placement(chosen, manifest)
    check_replaceable(Path(folder), earlier=False)
    given = _random_inputs(manifest, samples) if inputs is None else inputs
    packed = manifest.pack(given)
    if len(packed) == 0:
        raise InputError("expected at least one input, got none")
    outputs = manifest.pack_outputs(run(read_tflite(_model(out_dir, manifest)), given))
    chip = FAMILIES[startup.family].chip
    texts = {name: _template(name) for name in (*_COMMON, chip)}
    texts |= {
        name: _template(name) for name in _INCLUDED.findall(texts[chip]) if name not in (*texts, "board.h")
    }
    texts |= {
        "CMakeLists.txt": _cmake(manifest, chosen, chip),
        "README.md": _template("README.md").replace("@board@", chosen.name).replace("@uart@", _uart(chosen)),
        "board.h": board_header(chosen, placement),
        "memory.ld": memory_script(chosen, placement),
        "network.c": _network(manifest),
        "network.h": _template("network.h").replace("@defines@", _defines(out_dir, manifest, len(packed))),
        "samples.c": _samples(packed, outputs),
    }
    files = {name: text.encode("ascii") for name, text in texts.items()}
    described = exported_board(out_dir, manifest)
    own = [BOARD_FILE] if described is not None and described.file else []
    copied = [*manifest.sources, *manifest.headers, MANIFEST_NAME, *own]
    files |= {f"{NETWORK_FOLDER}/{name}": (Path(out_dir) / name).read_bytes() for name in copied}
    write_folder(Path(folder), files, earlier=False)
    return Firmware(Path(folder), chosen, len(packed), chosen.name == manifest.board)


def digest_of(manifest: bytes) -> str:
    """The digest that identifies an export: a hash of its manifest's content."""
    return hashlib.sha256(manifest).hexdigest()[:12]


def _board(out_dir: str | os.PathLike[str], manifest: Manifest, board: str | None) -> Board:
    chosen = exported_board(out_dir, manifest) if board is None else get_board(board)
    if chosen is None:
        raise TargetError(
            f"the export was made for the core {manifest.core} and no board: give the board that the firmware is for, "
            f"with board= or --board"
        )
    if get_core(manifest.core).dsp and not get_core(chosen.core).dsp:
        raise TargetError(
            f"the export was made for {manifest.core}, whose DSP extension {chosen.name} ({chosen.core}) lacks"
        )
    return chosen


def _placement(board: Board, manifest: Manifest) -> Placement:
    """Where data lies, the firmware's own included."""
    own = _OWN_BYTES + _LAYER_BYTES * len(manifest.layers) + 2 * places(manifest.outputs)[1]
    needed = manifest.arena_bytes + manifest.state_bytes + own
    if not board.holds(needed):
        raise TargetError(
            f"expected at most {board.ram_bytes:,} bytes of data on {board.name}, got {needed:,}: "
            f"{manifest.arena_bytes + manifest.state_bytes:,} of the network and {own:,} of the firmware; export again "
            f"with max_ram={board.ram_bytes - own}, or choose a larger board"
        )
    return board.place(needed)


def _model(out_dir: str | os.PathLike[str], manifest: Manifest) -> bytes:
    path = Path(out_dir) / f"{manifest.name}.tflite"
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelFormatError(
            f"cannot read {str(path)!r}, the model that tells which outputs to expect: {error.strerror}; export again"
        ) from error


def _random_inputs(manifest: Manifest, count: int) -> list[NDArray[np.int8]]:
    rng = np.random.default_rng(0)
    return [rng.integers(-128, 128, (count, *info.shape), np.int8) for info in manifest.inputs]


def _defines(out_dir: str | os.PathLike[str], manifest: Manifest, samples: int) -> str:
    entries = {
        "NETWORK_NAME": f'"{manifest.name}"',
        "NETWORK_DIGEST": f'"{digest_of((Path(out_dir) / MANIFEST_NAME).read_bytes())}"',
        "NETWORK_LAYERS": f"{len(manifest.layers)}u",
        "NETWORK_BEFORE_LAYER": f"{manifest.name}_before_layer",
        "NETWORK_AFTER_LAYER": f"{manifest.name}_after_layer",
        "SAMPLES": f"{samples}u",
        "INPUT_BYTES": f"{_aligned(places(manifest.inputs)[1])}u",
        "OUTPUT_BYTES": f"{_aligned(places(manifest.outputs)[1])}u",
    }
    hooks = f"void {manifest.name}_before_layer(int layer);\nvoid {manifest.name}_after_layer(int layer);\n"
    return "".join(f"#define {name} {value}\n" for name, value in entries.items()) + "\n" + hooks


def _network(manifest: Manifest) -> str:
    return (
        f'#include "network.h"\n\n#include "{manifest.name}.h"\n\n'
        "int network_run(const uint8_t *input, uint8_t *output)\n"
        f"{{\n    return {network_call(manifest)};\n}}\n"
    )


def _cmake(manifest: Manifest, board: Board, chip: str) -> str:
    entries = {
        "core": " ".join(get_core(board.core).compiler_flags),
        "sources": "\n".join(f"    {NETWORK_FOLDER}/{source}" for source in manifest.sources),
        "flags": " ".join(manifest.compiler_flags),
        "hooks": f"{manifest.name.upper()}_LAYER_HOOKS",
        "chip": chip,
        "headers": " ".join(
            sorted({f"{NETWORK_FOLDER}/{PurePosixPath(name).parent}" for name in manifest.headers})
        ),
    }
    text = _template("CMakeLists.txt")
    for name, value in entries.items():
        text = text.replace(f"@{name}@", value)
    return text


def _samples(inputs: NDArray[np.uint8], outputs: NDArray[np.uint8]) -> str:
    return (
        '#include "samples.h"\n\n'
        f"_Alignas({_ALIGNMENT}) const uint8_t sample_inputs[SAMPLES][INPUT_BYTES] = {{\n{_rows(inputs)}}};\n\n"
        f"const uint8_t sample_outputs[SAMPLES][OUTPUT_BYTES] = {{\n{_rows(outputs)}}};\n"
    )


def _rows(batch: NDArray[np.uint8]) -> str:
    return "".join(f"    {{\n{''.join(_lines(row.tolist()))}    }},\n" for row in batch)


def _lines(values: Sequence[int]) -> Iterator[str]:
    for start in range(0, len(values), 24):
        yield f"        {', '.join(map(str, values[start : start + 24]))},\n"


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _uart(board: Board) -> str:
    startup = startup_of(board)
    return f"{startup.uart} on P{startup.port}{startup.pin}"


def _template(name: str) -> str:
    return resources.files("export").joinpath("templates", "firmware", name).read_text(encoding="ascii")
