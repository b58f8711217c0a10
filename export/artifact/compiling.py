"""Compiling an exported network: for this machine, and for Arm cores.

Nothing is written into the export, no shell is used, and the compiler gets no argument that the manifest
could have smuggled in (see `export.artifact.manifest`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from export.artifact.linked_elf import LinkedElf
from export.artifact.manifest import Manifest, places, read_manifest
from export.errors import SimulationError, TargetError, ToolError
from export.targets import Board, get_core

_STRICT = ("-Wall", "-Wextra", "-Werror")
_SANITIZERS = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")
# A kernel is thousands of calls in a row here: -O2 takes three times as long to compile them and runs no faster.
_HOST_OPTIMIZATION = "-O1"
_SHOWN_LINES = 20
_COMPILER_SECONDS = 900  # for one file; the largest layers here take some ten
_UNBOUNDED_FLASH, _UNBOUNDED_RAM = (0x08000000, 64 << 20), (0x20000000, 16 << 20)  # origin, bytes
_ARM_HINT = "apt install gcc-arm-none-eabi libnewlib-arm-none-eabi"
_HOST_HINT = "apt install gcc libc6-dev"


@dataclass(frozen=True)
class HostModel:
    """An exported network compiled for this machine. It runs in a process of its own.

    Attributes:
        manifest: Of the export it was built from.
    """

    manifest: Manifest
    _folder: tempfile.TemporaryDirectory[str] = field(repr=False)  # lives as long as the model

    def run(self, inputs: Any) -> Any:
        """Runs the network on each input, one after the other; a network with states starts from its initial ones.

        Args:
            inputs: int8 [n, *input shape], or real numbers, which are quantized; a single input likewise; a sequence
                of such arrays for several inputs.

        Returns:
            int8 [n, *output shape] (int32 for indices); a tuple of such arrays for several outputs.

        Raises:
            InputError: Another shape or type.
            SimulationError: The program failed, for instance because a sanitizer stopped it.
        """
        return self.run_packed(self.manifest.pack(inputs))

    def run_packed(self, batch: np.ndarray) -> Any:
        """The same for inputs as bytes, uint8 [n, bytes], see `Manifest.pack`; several can run at once."""
        result = subprocess.run(
            [str(Path(self._folder.name) / "network")],
            input=batch.tobytes(),
            capture_output=True,
            check=False,
        )
        _, size = places(self.manifest.outputs)
        expected = len(batch) * size
        if result.returncode != 0 or len(result.stdout) != expected:
            raise SimulationError(
                f"the network's host build ended with status {result.returncode} and {len(result.stdout)} of "
                f"{expected} output bytes:\n{_head(result.stderr)}"
            )
        return self.manifest.unpack(np.frombuffer(result.stdout, np.uint8).reshape(len(batch), size))


def build_host(
    out_dir: str | os.PathLike[str], *, sanitize: bool = False, cc: str | None = None
) -> HostModel:
    """Compiles an export for this machine, whose code then runs here with all that this process may do.

    Do that with exports you trust. `export.simulate` runs what any folder holds in an emulator, out of reach of files.

    Args:
        out_dir: What `export.to_c` returned, or the folder it wrote.
        sanitize: Whether address and undefined-behavior errors stop the program.
        cc: The compiler; the system's `cc` if None.

    Raises:
        ModelFormatError: The folder is no export.
        ToolError: The compiler is missing or refuses the code.
    """
    manifest = read_manifest(out_dir)
    compiler = _tool(cc or "cc", _HOST_HINT)
    folder = tempfile.TemporaryDirectory(prefix="keras_approx_host_")
    runner = Path(folder.name) / "host_runner.c"
    runner.write_bytes(_template("host_runner.c"))
    flags = [*manifest.compiler_flags, _HOST_OPTIMIZATION, *_STRICT, *(_SANITIZERS if sanitize else ())]
    definitions = [
        *("-I", str((Path(out_dir).resolve() / manifest.sources[0]).parent)),
        f'-DNETWORK_HEADER="{manifest.name}.h"',
        f"-DNETWORK_RUN={network_call(manifest)}",
        f"-DNETWORK_INPUT_SIZE={places(manifest.inputs)[1]}",
        f"-DNETWORK_OUTPUT_SIZE={places(manifest.outputs)[1]}",
    ]
    sources = [Path(out_dir).resolve() / name for name in manifest.sources]
    objects = _compile([compiler, *flags, *definitions], [*sources, runner], Path(folder.name))
    _run([compiler, *flags, *map(str, objects), "-o", str(Path(folder.name) / "network")])
    return HostModel(manifest, folder)


def network_call(manifest: Manifest) -> str:
    """C of the network's call on `input` and `output`, bytes as `places` lays them out."""
    arguments = []
    for kind, tensors in (("input", manifest.inputs), ("output", manifest.outputs)):
        pointers = [f"(void *)({kind} + {start})" for start in places(tensors)[0]]
        if manifest.single:
            arguments += pointers
        else:
            arguments.append(f"&({manifest.name}_{kind}s){{{', '.join(pointers)}}}")
    return f"{manifest.name}_run({', '.join(arguments)})"


def build_arm(
    out_dir: str | os.PathLike[str],
    core: str | None = None,
    *,
    board: Board | None = None,
    compiler: str = "gcc",
) -> LinkedElf:
    """Compiles and links an export for an Arm core, without start-up code: what the network itself takes.

    Args:
        out_dir: What `export.to_c` returned, or the folder it wrote.
        core: Name of the core; the manifest's if None.
        board: Whose flash and RAM it must fit; unbounded if None.
        compiler: "gcc" or "clang"; GCC links in either case.

    Raises:
        ModelFormatError: The folder is no export.
        TargetError: The core is unknown or is the host, or the network does not fit the board.
        ToolError: A compiler is missing or refuses the code.
    """
    manifest = read_manifest(out_dir)
    target = get_core(core or manifest.core)
    if target.timing is None:
        raise TargetError(
            f"expected an Arm core to build for, got {target.name!r}; pass core='cortex-m33' (--core cortex-m33) or "
            "another"
        )
    gcc = _tool("arm-none-eabi-gcc", _ARM_HINT)
    if compiler == "gcc":
        command = [gcc, *target.compiler_flags]
    elif compiler == "clang":
        headers = Path(gcc).resolve().parent.parent / "lib/arm-none-eabi/include"
        command = [_tool("clang", "apt install clang"), "--target=arm-none-eabi", *target.compiler_flags]
        command += ["-isystem", str(headers)]
    else:
        raise ToolError(f"expected the compiler 'gcc' or 'clang', got {compiler!r}")
    with tempfile.TemporaryDirectory(prefix="keras_approx_arm_") as name:
        folder = Path(name)
        sources = [Path(out_dir).resolve() / source for source in manifest.sources]
        objects = _compile([*command, *manifest.compiler_flags, *_STRICT], sources, folder)
        script = folder / "image.ld"
        script.write_text(_link_script(board, manifest.arena_bytes + manifest.state_bytes), encoding="ascii")
        link = [
            *(gcc, *target.compiler_flags, "-nostartfiles", f"-Wl,--entry={manifest.name}_run"),
            "-Wl,--no-warn-rwx-segments",
            *("-T", str(script), *map(str, objects), "-o", str(folder / "network.elf")),
        ]
        try:
            _run(link)
        except ToolError as error:
            if board is not None and "overflowed by" in str(error):
                raise TargetError(f"the network does not fit {board.name}: {error}") from error
            raise
        return LinkedElf(manifest, target, (folder / "network.elf").read_bytes())


def _link_script(board: Board | None, data_bytes: int) -> str:
    """The linker script of an image for a board, or of unbounded memories."""
    regions = {"FLASH": _UNBOUNDED_FLASH, "RAM": _UNBOUNDED_RAM}
    if board is not None:
        placement = board.place(data_bytes)
        regions = {
            "FLASH": (board.flash.origin, board.flash_bytes),
            "RAM": (placement.origin, placement.data_bytes),
        }
        if placement.code is not None and placement.code.code_origin is not None:
            regions["COPIES"] = (placement.code.code_origin, placement.code.size)
    memory = [
        f"    {name} : ORIGIN = {origin:#x}, LENGTH = {size}" for name, (origin, size) in regions.items()
    ]
    aliases = "" if "COPIES" in regions else 'REGION_ALIAS("COPIES", RAM)'
    text = _template("image.ld").decode("ascii")
    return text.replace("@memory@", "\n".join(memory)).replace("@aliases@", aliases)


def build_library(template: str, folder: Path, *, headers: Sequence[str] = (), cc: str | None = None) -> Path:
    """Compiles one of this package's own C files to a shared library for this machine.

    Raises:
        ToolError: The compiler is missing or fails.
    """
    compiler = _tool(cc or "cc", _HOST_HINT)
    source = folder / template
    for name in (template, *headers):
        (folder / name).write_bytes(_template(name))
    library = source.with_suffix(".so")
    _run([compiler, "-std=c11", "-O2", "-fPIC", "-shared", *_STRICT, str(source), "-o", str(library)])
    return library


def _template(name: str) -> bytes:
    return resources.files("export").joinpath("templates", name).read_bytes()


def _compile(command: Sequence[str], sources: Sequence[Path], folder: Path) -> list[Path]:
    """Compiles every source to an object file, as many at once as there are processors."""
    objects = [folder / f"{position:04d}_{source.stem}.o" for position, source in enumerate(sources)]

    def compile_one(source: Path, target: Path) -> None:
        _run([*command, "-I", str(source.parent), "-c", str(source), "-o", str(target)])

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(compile_one, sources, objects))
    return objects


def _tool(name: str, hint: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise ToolError(f"{name} is needed and not installed; {hint}")
    return path


def _run(command: Sequence[str]) -> None:
    try:
        result = subprocess.run(
            command, capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=_COMPILER_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise ToolError(
            f"{Path(command[0]).name} took more than {_COMPILER_SECONDS} seconds and was stopped; a layer may be too "
            "large for it: keep fewer of its products, or give it more than one processor"
        ) from error
    if result.returncode != 0:
        raise ToolError(
            f"{Path(command[0]).name} failed with status {result.returncode}:\n{_tail(result.stderr)}"
        )


def _head(text: bytes) -> str:
    """The first lines, where sanitizers say what happened."""
    return "\n".join(text.decode(errors="replace").splitlines()[:_SHOWN_LINES])


def _tail(text: bytes) -> str:
    """The last lines, where compilers and linkers end with the cause."""
    return "\n".join(text.decode(errors="replace").splitlines()[-_SHOWN_LINES:])
