"""The command `evaluate`: counts the right answers of an export over a data set."""

from __future__ import annotations

import argparse
from pathlib import Path

from export.artifact.manifest import read_manifest
from export.commands.inputs.network_inputs import add_arrays, read_inputs
from export.commands.program.console import Result, Steps
from export.commands.program.files import check_result_file
from export.commands.program.options import Commands, add_command, at_least_one
from export.commands.simulate import save_outputs
from export.errors import InputError
from keras_approx.text import plural

_EXAMPLES = """\
  keras-approx evaluate out/ --inputs test.npz
  keras-approx evaluate out/ --inputs test.npz --images 1000 --json -
  keras-approx evaluate out/ --inputs test.npz --json accuracy.json --outputs outputs.npy

test.npz holds inputs [n, *input shape] as the float model takes them, or int8, and class numbers. The folder's C is
compiled for this machine and runs here with all that you may do: evaluate exports that you trust.
"""


def add_parser(commands: Commands[argparse.ArgumentParser], help: str) -> None:
    """Adds the command to the program's parser."""
    parser = add_command(
        commands,
        "evaluate",
        help=help,
        description="Compiles an exported network for this machine, runs it on all inputs and all processors, and "
        "prints how many answers are right. Every output byte is that of the microcontroller.",
        examples=_EXAMPLES,
    )
    parser.add_argument("out_dir", help="folder that keras-approx export or export.to_c wrote")
    parser.add_argument(
        "--inputs",
        required=True,
        metavar="FILE",
        help=".npz file of inputs, real numbers or int8, and labels",
    )
    parser.add_argument(
        "--images", metavar="N", type=at_least_one, help="run the first N inputs (default: all in the file)"
    )
    add_arrays(parser)
    parser.add_argument(
        "--workers",
        metavar="N",
        type=at_least_one,
        help="processes that run at once (default: one a processor)",
    )
    parser.add_argument("--outputs", metavar="FILE", type=Path, help="save the outputs as .npy")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> Result:
    """Evaluates, and saves what was asked for."""
    from export.evaluation import evaluate  # noqa: PLC0415 (slow to import)

    say = Steps()
    if options.outputs is not None:
        check_result_file(options.outputs, "--outputs")
    manifest = read_manifest(options.out_dir)
    if len(manifest.outputs) > 1:
        raise InputError(
            f"answers are counted of one output, this network has {', '.join(out.name for out in manifest.outputs)}: "
            "keras-approx simulate --outputs saves what each gives"
        )
    inputs, labels = read_inputs(options, manifest, say)
    if labels is None:
        raise InputError(
            f"expected class numbers beside the inputs in {options.inputs!r}, found none: save them as `labels` in an "
            ".npz file, or name their array with --labels-array"
        )
    inputs = [values[: options.images] for values in inputs]
    say(f"compiling {options.out_dir} for this machine, then running {plural(len(inputs[0]), 'input')}")
    found = evaluate(options.out_dir, inputs, labels[: options.images], workers=options.workers)
    if options.outputs is not None:
        save_outputs(options.outputs, manifest, found.outputs)
    return Result(str(found), found.to_dict())
