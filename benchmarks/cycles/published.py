"""Holds the timing model against silicon that others measured: networks built over CMSIS-NN, priced here.

    python -m benchmarks.cycles.published resnet8:cortex-m4:resnet8.elf person_detect:cortex-m33:person.elf
    python -m benchmarks.cycles.published resnet8:cortex-m33:a.elf resnet8:cortex-m33:b.elf --model resnet8=r.tflite

The builds are yours: an ELF file that holds the network over your copy of CMSIS-NN, linked without start-up code for
flash at 0x08000000 and RAM at 0x20000000, with `int network_run(const int8_t *input, int8_t *output)`. Each is run on
the emulated core, and its cycles are set beside those published for the network on that core. With --model the output
is compared with that of TFLite's reference kernels.

Published figures are whole systems: an interpreter, another version of the library, other compilers and flags. The
model has none of that, so it should come out below, by the share that these take.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import FIGURES
from benchmarks.pages.tables import table
from benchmarks.shared.options import argument_parser
from benchmarks.shared.records import add_output, recorded, stays, write_json
from export.analysis.interpreter import run
from export.artifact.linked_elf import LinkedElf
from export.artifact.manifest import FORMAT, Generator, MadeFor, Manifest, TensorInfo
from export.errors import ExportError
from export.frontend import read_tflite
from export.simulation.run import run_image
from export.targets import BOARDS, get_core

RESULTS = FIGURES / "published.json"
_ARENA_BYTES = 100_000  # about what the builds take; it decides in which banks a board's data lie
_TOP = 6  # functions that are listed


@dataclass(frozen=True)
class Network:
    """A network that others measured: shapes of its int8 input and output, without the batch."""

    input: tuple[int, ...]
    output: tuple[int, ...]


@dataclass(frozen=True)
class Silicon:
    """A published figure.

    Attributes:
        network: Key of `NETWORKS`.
        core: Of the chip.
        chip: What it was measured on.
        board: Whose memories are priced; None where they are not documented well enough.
        stack: What ran the network.
        mega_cycles: Of one inference: latency times clock as published.
        source: Where.
    """

    network: str
    core: str
    chip: str
    board: str | None
    stack: str
    mega_cycles: float
    source: str


NETWORKS = {
    "resnet8": Network((32, 32, 3), (10,)),
    "person_detect": Network((96, 96, 1), (2,)),
    "micro_speech": Network((1960,), (4,)),
}
_L4R5 = "STM32L4R5, 120 MHz"
_TINY = "MLPerf Tiny"
PUBLISHED = (
    Silicon(
        "resnet8",
        "cortex-m4",
        "M467 or STM32L4R5, the better",
        None,
        "ONNC",
        34.3,
        f"{_TINY}, closed division",
    ),
    Silicon(
        "resnet8",
        "cortex-m4",
        "M467 or STM32L4R5, the other",
        None,
        "ONNC",
        35.8,
        f"{_TINY}, closed division",
    ),
    Silicon("resnet8", "cortex-m4", _L4R5, "nucleo-l4r5zi", "microTVM", 46.7, f"{_TINY} 1.1"),
    Silicon("resnet8", "cortex-m4", _L4R5, "nucleo-l4r5zi", "TFLM", 84.5, f"{_TINY} 0.5, the reference"),
    Silicon("resnet8", "cortex-m33", "nRF5340, 128 MHz", None, "microTVM", 40.7, f"{_TINY} 1.1"),
    Silicon(
        *("person_detect", "cortex-m4", "STM32F413, 100 MHz taken", None, "TFLM", 38.7),
        source="github.com/Samsung/ONE/issues/7598: 386.6 ms, clock not said",
    ),
    Silicon(
        "person_detect", "cortex-m33", "MCXN947", None, "TFLM", 11.53, "cycles as quoted, settings unknown"
    ),
    Silicon(
        "micro_speech", "cortex-m33", "MCXN947", None, "TFLM", 1.71, "cycles as quoted, settings unknown"
    ),
)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    models = dict(options.model)
    rows = {
        (row["network"], row["core"], row["build"]): row for row in recorded(options.output).get("builds", ())
    }
    for network, core, path in options.builds:
        if row := rows.get((network, core, path.name)):
            found = {"output compared": row["bytes_off_reference"] is not None}
            wanted = {"output compared": network in models}
            stays(f"{path.name} in {options.output}", found, wanted, options.replace)
    for network, core, path in options.builds:
        row = _build(network, core, path, models.get(network))
        rows[network, core, path.name] = row
        _print(row)
    write_json(options.output, {"builds": [*rows.values()]})
    return 0


def _build(network: str, core: str, path: Path, model: Path | None) -> dict[str, Any]:
    """What a build takes, and how far that is from what was published for its network and core."""
    figures = [silicon for silicon in PUBLISHED if (silicon.network, silicon.core) == (network, core)]
    boards = {silicon.board for silicon in figures} | {None}
    image = LinkedElf(_manifest(network, core), get_core(core), path.read_bytes())
    shape = NETWORKS[network].input
    values = np.random.default_rng(0).integers(-128, 128, (1, *shape), np.int8)
    measured = {
        board: run_image(image, image.manifest.pack(values), board=BOARDS[board] if board else None)
        for board in sorted(boards, key=str)
    }
    bare = measured[None]
    compared = []
    for silicon in figures:
        found = measured[silicon.board]
        middle = found.board_cycles.middle if found.board_cycles is not None else found.cycles
        compared.append(
            {**asdict(silicon), "modeled_cycles": found.board_cycles or (found.cycles, found.cycles)}
        )
        compared[-1]["modeled_over_published"] = round(middle / (1e6 * silicon.mega_cycles), 3)
    wrong = None
    if model is not None:
        expected = run(read_tflite(model.read_bytes()), values)
        wrong = int((expected != bare.outputs).sum())
    return {
        "build": path.name,
        "network": network,
        "core": core,
        "cycles_without_waits": bare.cycles,
        "flash_bytes": bare.flash_bytes,
        "bytes_off_reference": wrong,
        "functions": dict(list(bare.per_function.items())[:_TOP]),
        "compared": compared,
    }


def summary(results: Mapping[str, Any]) -> str:
    """The published figures as a Markdown table, each beside the range of the builds that were priced."""
    found: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for build in results["builds"]:
        for entry in build["compared"]:
            found.setdefault((entry["network"], entry["core"], entry["chip"], entry["stack"]), []).append(
                entry
            )
    rows = []
    for (network, core, chip, stack), entries in found.items():
        modeled = [cycles / 1e6 for entry in entries for cycles in entry["modeled_cycles"]]
        shares = [entry["modeled_over_published"] for entry in entries]
        rows.append(
            (
                f"{network}, {core}",
                f"{chip}; {stack}",
                f"{entries[0]['mega_cycles']:.1f}"
                if entries[0]["mega_cycles"] > 20
                else f"{entries[0]['mega_cycles']:.2f}",
                f"{min(modeled):.1f} to {max(modeled):.1f}",
                "with its flash" if entries[0]["board"] else "without waits",
                f"{min(shares):.2f} to {max(shares):.2f}",
            )
        )
    head = ("network, core", "silicon; software around CMSIS-NN", "published, M", "modeled, M", "", "of it")
    return table(head, rows, left=2)


def _manifest(network: str, core: str) -> Manifest:
    """What the emulator needs to know of a build."""
    found = NETWORKS[network]
    ends = (("input", found.input), ("output", found.output))
    inputs, outputs = (
        (TensorInfo(name=name, shape=shape, dtype="int8", scale=1.0, zero_point=0),) for name, shape in ends
    )
    return Manifest(
        format=FORMAT,
        generator=Generator(name="published", version="0"),
        name="network",
        target=MadeFor(core=core, board=None),
        sources=("network.c",),
        headers=(),
        compiler_flags=(),
        inputs=inputs,
        outputs=outputs,
        class_names=(),
        arena_bytes=_ARENA_BYTES,
        state_bytes=0,
        layers=(),
        buffers=(),
        files=(),
    )


def _print(row: dict[str, Any]) -> None:
    print(
        f"{row['build']}: {row['network']} on {row['core']}, {row['cycles_without_waits']:,} cycles without waits"
    )
    if row["bytes_off_reference"] is not None:
        print(f"  bytes off TFLite's reference kernels: {row['bytes_off_reference']}")
    for entry in row["compared"]:
        low, high = entry["modeled_cycles"]
        print(
            f"  {entry['chip']}, {entry['stack']}: published {entry['mega_cycles']:.2f} M, modeled "
            f"{low / 1e6:.2f} to {high / 1e6:.2f} M, {entry['modeled_over_published']:.2f} of it"
        )


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("builds", nargs="+", type=_build_option, metavar="NETWORK:CORE:ELF")
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        type=_model_option,
        metavar="NETWORK=FILE",
        help="the .tflite that a network's builds were made of, to check their output",
    )
    add_output(parser, RESULTS)
    return parser.parse_args(arguments)


def _build_option(text: str) -> tuple[str, str, Path]:
    network, _, rest = text.partition(":")
    core, _, path = rest.partition(":")
    known = {(silicon.network, silicon.core) for silicon in PUBLISHED}
    if (network, core) not in known:
        listed = ", ".join(f"{one}:{other}" for one, other in sorted(known))
        raise argparse.ArgumentTypeError(f"expected NETWORK:CORE:ELF with one of {listed}, got {text!r}")
    return network, core, _file(path)


def _model_option(text: str) -> tuple[str, Path]:
    network, _, path = text.partition("=")
    if network not in NETWORKS:
        raise argparse.ArgumentTypeError(
            f"expected NETWORK=FILE with one of {', '.join(NETWORKS)}, got {text!r}"
        )
    return network, _file(path)


def _file(path: str) -> Path:
    if not Path(path).is_file():
        raise argparse.ArgumentTypeError(f"there is no file {path!r}")
    return Path(path)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ExportError as error:
        sys.exit(f"error: {error}")
