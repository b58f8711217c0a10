"""The command `simulate`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from export.artifact.manifest import Manifest, TensorInfo, read_manifest
from export.commands.console import Result, Steps
from export.commands.inputs.arrays import read_npy, read_npz
from export.commands.inputs.samples import read_samples
from export.commands.options import Commands, add_command, at_least_one
from export.errors import InputError, OutputPathError
from export.proportions import wilson_interval
from export.targets import CORES

_EXAMPLES = """\
  keras-approx simulate out/ --inputs test.npz --images 20
  keras-approx simulate out/ --inputs images.npy --board stm32f405 --json result.json
  keras-approx simulate out/ --inputs images.npy --core cortex-m4 --outputs classes.npy

images.npy holds inputs [n, *input shape] as the float model takes them, which are quantized here, or int8;
test.npz holds such inputs, and class numbers if the accuracy is wanted.
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
    parser.add_argument(
        "--inputs-array",
        metavar="NAME",
        default="inputs",
        help="array of inputs in .npz files (default: inputs)",
    )
    parser.add_argument(
        "--labels-array",
        metavar="NAME",
        help="array of class numbers in .npz files, to count right answers (default: labels, if there is one)",
    )
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
    manifest = read_manifest(options.out_dir)
    inputs, labels = read_inputs(options, manifest)
    inputs = [values[: options.images] for values in inputs]
    say(f"compiling {options.out_dir}, then running {len(inputs[0]):,} inputs on the emulated core")
    from export.simulation import simulate  # noqa: PLC0415 (slow to import)

    measurement = simulate(
        options.out_dir, inputs, core=options.core, board=options.board, compiler=options.compiler
    )
    if options.outputs is not None:
        _save_outputs(options.outputs, manifest, measurement.outputs)
    text, record = str(measurement), measurement.to_dict()
    if labels is not None:
        answers = _count_right(manifest, measurement.outputs, labels[: len(inputs[0])])
        text += f"\n{answers.pop('text')}"
        record |= answers
    return Result(text, record)


def _count_right(manifest: Manifest, outputs: Any, labels: np.ndarray) -> dict[str, Any]:
    """How many of the outputs are right, with the 95 % interval that so few samples leave."""
    if len(manifest.outputs) > 1:
        raise InputError("labels go with a network of one output; leave --labels-array out")
    answers, count = outputs.reshape(len(labels), -1), len(labels)
    if labels.max() >= answers.shape[1]:
        raise InputError(
            f"expected labels of 0 .. {answers.shape[1] - 1}, as the network has {answers.shape[1]} outputs, got "
            f"{labels.max()}; name another array with --labels-array"
        )
    right = int((answers.argmax(axis=1) == labels).sum())
    low, high = wilson_interval(right, count)
    return {
        "text": f"{right} of {count} right: {right / count:.1%}, with 95 % confidence {low:.1%} to {high:.1%}",
        "accuracy": right / count,
        "accuracy_interval": [low, high],
    }


def read_inputs(
    options: argparse.Namespace, manifest: Manifest
) -> tuple[list[np.ndarray], np.ndarray | None]:
    """An array for each input, int8 [n, *shape], and labels if there are any."""
    if len(manifest.inputs) == 1:
        inputs, labels = _read_inputs(options, manifest.inputs[0])
        return [inputs], labels
    found = read_npz(options.inputs, [info.name for info in manifest.inputs])
    return [info.batch(found[info.name]).reshape(-1, *info.shape) for info in manifest.inputs], None


def _read_inputs(options: argparse.Namespace, info: TensorInfo) -> tuple[np.ndarray, np.ndarray | None]:
    """int8 inputs [n, *shape], and labels if there are any."""
    if str(options.inputs).endswith(".npz"):
        samples = read_samples(
            options.inputs,
            inputs=options.inputs_array,
            labels=options.labels_array or "labels",
            shape=info.shape,
            needed=options.labels_array is not None,
        )
        return info.batch(samples.inputs).reshape(-1, *info.shape), samples.labels
    if options.labels_array is not None:
        raise InputError(f"labels come in .npz files: expected one for --inputs, got {options.inputs!r}")
    return info.batch(read_npy(options.inputs)).reshape(-1, *info.shape), None


def _save_outputs(path: Path, manifest: Manifest, outputs: Any) -> None:
    """One array as .npy, several as .npz by their names."""
    try:
        with path.open("wb") as file:
            if len(manifest.outputs) == 1:
                np.save(file, outputs)
            else:
                names = [info.name for info in manifest.outputs]
                np.savez(file, **dict(zip(names, outputs, strict=True)))
    except OSError as error:
        raise OutputPathError(
            f"cannot write {str(path)!r}: {error.strerror}; choose another --outputs"
        ) from error
