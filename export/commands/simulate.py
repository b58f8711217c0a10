"""The command `simulate`: runs an export on an emulated core and prints its cycles."""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import Any

import numpy as np

from export.artifact.manifest import Manifest, read_manifest
from export.commands.inputs.network_inputs import add_arrays, read_inputs
from export.commands.program.console import Result, Steps
from export.commands.program.files import check_result_file, write_new_file
from export.commands.program.options import Commands, add_command, at_least_one
from export.evaluation import check_labels, count_right
from export.targets import CORES
from keras_approx.storage.arrays import write_arrays
from keras_approx.text import plural

_EXAMPLES = """\
  keras-approx simulate out/ --inputs test.npz --images 20
  keras-approx simulate out/ --inputs images.npy --board stm32f405 --json result.json
  keras-approx simulate out/ --inputs images.npy --core cortex-m4 --outputs classes.npy

images.npy holds inputs [n, *input shape] as the float model takes them, which are quantized here, or int8 values, which
are taken as they are; test.npz holds such inputs, and class numbers. For the accuracy over thousands of images
there is keras-approx evaluate, which takes seconds.
"""


def add_parser(commands: Commands[argparse.ArgumentParser], help: str) -> None:
    """Adds the command to the program's parser."""
    parser = add_command(
        commands,
        "simulate",
        help=help,
        description="Cross-compiles an exported network, runs it on an emulated core, and prints cycles by layer, "
        "flash, RAM and stack.",
        examples=_EXAMPLES,
    )
    parser.add_argument("out_dir", help="folder that keras-approx export or export.to_c wrote")
    parser.add_argument(
        "--inputs", required=True, metavar="FILE", help=".npy or .npz file of inputs, real numbers or int8"
    )
    parser.add_argument(
        "--images", metavar="N", type=at_least_one, help="run the first N inputs (default: all in the file)"
    )
    add_arrays(parser)
    parser.add_argument("--core", help=f"core to run on: {', '.join(sorted(set(CORES) - {'host'}))}")
    parser.add_argument("--board", help="board to measure for (see keras-approx boards), or .toml file")
    parser.add_argument("--compiler", choices=("gcc", "clang"), default="gcc", help="default: gcc")
    parser.add_argument(
        "--outputs", metavar="FILE", type=Path, help="save the outputs as .npy (several as .npz)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> Result:
    """Simulates, and saves what was asked for."""
    say = Steps()
    if options.outputs is not None:
        check_result_file(options.outputs, "--outputs")
    manifest = read_manifest(options.out_dir)
    inputs, labels = read_inputs(options, manifest, say)
    inputs = [values[: options.images] for values in inputs]
    if labels is not None:
        labels = check_labels(manifest, labels[: options.images], len(inputs[0]))
    say(f"compiling {options.out_dir}, then running {plural(len(inputs[0]), 'input')} on the emulated core")
    from export.simulation import simulate  # noqa: PLC0415 (slow to import)

    measurement = simulate(
        options.out_dir, inputs, core=options.core, board=options.board, compiler=options.compiler
    )
    if options.outputs is not None:
        save_outputs(options.outputs, manifest, measurement.outputs)
    text, record = str(measurement), measurement.to_dict()
    if labels is not None:
        answers = count_right(measurement.outputs, labels, manifest.outputs[0])
        text += f"\n{answers}"
        record |= answers.to_dict()
    return Result(text, record)


def save_outputs(path: Path, manifest: Manifest, outputs: Any) -> None:
    """Saves one array as .npy, several as .npz by their names.

    Raises:
        OutputPathError: The file cannot be written.
    """
    content = io.BytesIO()
    if len(manifest.outputs) == 1:
        np.save(content, outputs)
    else:
        names = [info.name for info in manifest.outputs]
        write_arrays(content, dict(zip(names, outputs, strict=True)))
    write_new_file(path, content.getvalue(), "--outputs")
