"""The command `firmware`: writes a firmware project that measures an export on a board."""

from __future__ import annotations

import argparse
from pathlib import Path

from export.artifact.manifest import read_manifest
from export.commands.inputs.network_inputs import read_inputs
from export.commands.program.console import Result, Steps
from export.commands.program.options import Commands, add_command, add_inputs_array, at_least_one
from keras_approx.text import plural

_EXAMPLES = """\
  keras-approx firmware out/ --board nucleo-u575zi-q                 # writes out-firmware/
  keras-approx firmware out/ --inputs test.npz --samples 5 --out firmware/
  keras-approx firmware out/ --board my-board.toml

Its README.md says how to build and flash it; keras-approx compare sets what it prints beside what was predicted.
"""


def add_parser(commands: Commands[argparse.ArgumentParser], help: str) -> None:
    """Adds the command to the program's parser."""
    parser = add_command(
        commands,
        "firmware",
        help=help,
        description="Writes a project for the board that runs an exported network on samples and prints cycles by "
        "layer, what the cache counted, and PASS or FAIL of the output bytes.",
        examples=_EXAMPLES,
    )
    parser.add_argument("out_dir", help="folder that keras-approx export or export.to_c wrote")
    parser.add_argument(
        "--board",
        metavar="NAME",
        help="board (see keras-approx boards), or .toml file (default: the one it was exported for)",
    )
    parser.add_argument(
        "--out", metavar="DIR", type=Path, help="folder to write, new or empty (default: OUT_DIR-firmware)"
    )
    parser.add_argument(
        "--inputs",
        metavar="FILE",
        help=".npy or .npz file of inputs, real numbers or int8 (default: random ones)",
    )
    parser.add_argument(
        "--samples",
        metavar="N",
        type=at_least_one,
        default=3,
        help="how many inputs to run, the first of the file or random ones (default: 3)",
    )
    add_inputs_array(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> Result:
    """Writes the project."""
    from export.firmware.project import write_firmware  # noqa: PLC0415 (slow to import)

    say = Steps()
    manifest = read_manifest(options.out_dir)
    given = None
    if options.inputs is not None:
        inputs, _ = read_inputs(options, manifest, say, labels=False)
        given = [values[: options.samples] for values in inputs]
    out_dir = Path(options.out_dir)
    folder = options.out or out_dir.with_name(f"{out_dir.name}-firmware")
    say(f"computing the outputs to expect, writing {folder}")
    firmware = write_firmware(out_dir, folder, board=options.board, inputs=given, samples=options.samples)
    board = firmware.board
    text = f"{folder}: firmware for {board.name} with {plural(firmware.samples, 'sample')}; see its README.md"
    if not firmware.predicted:
        text += (
            f"\nthe export's predictions are not for {board.name}: for figures to compare with, "
            f"keras-approx simulate {out_dir} --board {options.board} --inputs FILE --json FILE"
        )
    return Result(text, {"out": str(folder), "board": board.name, "samples": firmware.samples})
