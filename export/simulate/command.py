"""The command `python -m export simulate`."""

from __future__ import annotations

import argparse

import numpy as np

from export.errors import InputError
from export.simulate.run import simulate
from export.targets import BOARDS, CORES

_EXAMPLES = """\
examples:
  python -m export simulate out/ --inputs images.npy
  python -m export simulate out/ --inputs images.npy --board stm32f405 --json result.json
  python -m export simulate out/ --inputs images.npy --core cortex-m4 --outputs classes.npy

images.npy holds int8 inputs [n, *input shape], quantized with the scale and zero point in the export's
header.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the program's parser."""
    parser = commands.add_parser(
        "simulate",
        help="run an export on an emulated core and count cycles",
        description="Cross-compiles an exported network, runs it on an emulated core, and prints cycles by layer, "
        "flash, RAM and stack.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("out_dir", help="folder that export.to_c wrote")
    parser.add_argument("--inputs", required=True, metavar="FILE", help=".npy file of int8 inputs")
    parser.add_argument("--core", help=f"core to run on: {', '.join(sorted(set(CORES) - {'host'}))}")
    parser.add_argument("--board", help=f"board to measure for: {', '.join(sorted(BOARDS))}")
    parser.add_argument("--compiler", choices=("gcc", "clang"), default="gcc")
    parser.add_argument("--json", metavar="FILE", help="save the figures")
    parser.add_argument("--outputs", metavar="FILE", help="save the int8 outputs as .npy")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    try:
        inputs = np.load(options.inputs, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"expected {options.inputs} to be a .npy file of int8 inputs: {error}") from error
    measurement = simulate(
        options.out_dir, inputs, core=options.core, board=options.board, compiler=options.compiler
    )
    print(measurement)
    if options.json:
        measurement.save(options.json)
    if options.outputs:
        np.save(options.outputs, measurement.outputs)
