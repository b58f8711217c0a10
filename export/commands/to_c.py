"""The command `export`: writes a model as C."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.artifact.names import check_name
from export.commands.inputs.arrays import read_npy, read_npz
from export.commands.inputs.designs import add_choice, choose
from export.commands.inputs.ends import input_shape
from export.commands.inputs.models import add_model, check_model, is_wrapped, load_model
from export.commands.inputs.samples import read_samples, split
from export.commands.program.console import Result, Steps, load_tensorflow, told
from export.commands.program.options import (
    Commands,
    add_calibration_images,
    add_command,
    add_data,
    add_split,
    add_target,
    size,
)
from export.errors import InputError, QuantizationError
from export.kernels.layout import ACTIVATIONS
from export.packaging.names import LAYOUT_NAMES
from export.targets import STACK_BYTES, resolve

if TYPE_CHECKING:
    import numpy as np

    from export.schedule.estimate import Estimate

_MAX_NAMES_BYTES = 1 << 20

_EXAMPLES = """\
  keras-approx export tuned.keras --out out/                            # a wrapped model
  keras-approx export tuned.keras --estimate --target cortex-m4         # cycles, flash and RAM; nothing written
  keras-approx export model.keras --data train.npz --out out/           # a plain one, quantized after training
  keras-approx export model_int8.tflite --out out/ --name resnet --target stm32f405
  keras-approx export model_int8.tflite --out out/ --target stm32f405 --max-ram 48K    # the rest is the firmware's
  keras-approx export tuned.keras --out MyNet/ --layout arduino --class-names labels.txt --sample test.npz
  keras-approx export wrapped.keras --front front.json --max-drop 0.01 --data train.npz --out out/   # not fine-tuned
"""


def add_parser(commands: Commands[argparse.ArgumentParser], help: str) -> None:
    """Adds the command to the program's parser."""
    parser = add_command(
        commands,
        "export",
        help=help,
        description="Exports a wrapped, a plain or an int8 TFLite model as C that gives, bit for bit, what TFLite's "
        "reference kernels give.",
        examples=_EXAMPLES,
    )
    add_model(parser, ".tflite file, ")
    goal = parser.add_mutually_exclusive_group(required=True)
    goal.add_argument(
        "--out", metavar="DIR", type=Path, help="folder to write; an earlier export is replaced"
    )
    goal.add_argument("--estimate", action="store_true", help="predict cycles, flash and RAM; write nothing")
    add_data(
        parser,
        required=False,
        help=".npz file of inputs: to quantize a plain Keras model with, or the one that explore had, with which a "
        "design of --front is refitted or re-estimated",
        labels=False,
    )
    add_split(parser)
    add_calibration_images(parser, "how many inputs of --data to use, of those not set apart")
    add_target(parser)
    parser.add_argument("--name", help="prefix of files and functions: a lower-case C name (default: model)")
    parser.add_argument(
        "--activations",
        choices=ACTIVATIONS,
        default="auto",
        help="how activations lie in RAM: int16 is fastest, int8 takes half (default: auto, int16 if it fits)",
    )
    parser.add_argument(
        "--max-ram",
        metavar="BYTES",
        type=size,
        help="what activations and scratch memory may take, such as 49152 or 48K (default: what the board has, less "
        f"{STACK_BYTES:,} bytes of stack); less of it costs cycles; with --front, a limit of the design too",
    )
    project = parser.add_argument_group("what the folder holds")
    project.add_argument(
        "--layout",
        choices=LAYOUT_NAMES,
        help="cmake: a library target for add_subdirectory; arduino: a library with an example sketch; cmsis-pack: a "
        "package with a component, for Keil and csolution; plain: C files alone (default: cmake)",
    )
    project.add_argument(
        "--class-names",
        metavar="FILE",
        help="text file with the name of a class on each line, in the order of the outputs, for the header and the "
        "example",
    )
    project.add_argument(
        "--sample",
        metavar="FILE",
        help="what the example runs: the first input of an .npz or .npy file, real numbers or int8 (default: random "
        "values)",
    )
    add_choice(parser, ram=False)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> Result:
    """Exports, or predicts what an export takes."""
    say = Steps()
    project = _project(options)
    resolve(options.target)
    model, representative = _model(options, say)
    from export.api import estimate, to_c  # noqa: PLC0415 (the compiler: slow to import)

    settings = {
        "target": options.target,
        "activations": options.activations,
        "max_ram": options.max_ram,
        "representative_data": representative,
    }
    if options.estimate:
        say("planning kernels")
        with told(say, "export.schedule"):
            predicted = estimate(model, **settings)
        return Result(str(predicted), _record(predicted))
    say(f"planning kernels, writing {options.out}")
    with told(say, "export.schedule"):
        written = to_c(model, options.out, **project, **settings)
    text = f"{written.estimate}\n{options.out}: {len(written.manifest['files'])} files"
    return Result(text, {"out": str(options.out), **_record(written.estimate)})


def _project(options: argparse.Namespace) -> dict[str, Any]:
    """Those of `to_c`'s arguments that say what the folder holds, as far as they were given."""
    if options.estimate:
        for option in ("name", "layout", "class_names", "sample"):
            if getattr(options, option) is not None:
                raise InputError(
                    f"--{option.replace('_', '-')} says what --out holds, and --estimate writes nothing: leave it out"
                )
    given: dict[str, Any] = {"name": options.name, "layout": options.layout}
    if options.name is not None:
        check_name(options.name)
    if options.class_names is not None:
        given["class_names"] = _lines(options.class_names)
    if options.sample is not None:
        given["sample"] = _sample(options.sample, options.inputs_array)
    return {option: value for option, value in given.items() if value is not None}


def _lines(path: str) -> list[str]:
    """The lines of a text file, without empty ones at the end."""
    from keras_approx.storage.schema import read_bounded  # noqa: PLC0415 (pydantic: slow to import)

    try:
        text = read_bounded(Path(path), _MAX_NAMES_BYTES).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"expected {path!r} to be a UTF-8 text file with a class name on each line: {reason}"
        ) from error
    return [line.strip() for line in text.rstrip().splitlines()]


def _sample(path: str, name: str) -> np.ndarray:
    """The first input of an .npz or .npy file."""
    values = read_npz(path, [name])[name] if path.endswith(".npz") else read_npy(path)
    if values.ndim < 2 or len(values) == 0:
        raise InputError(f"expected inputs [n, ...] in {path!r} for --sample, got shape {list(values.shape)}")
    return values[0]


def _model(options: argparse.Namespace, say: Steps) -> tuple[Any, Any]:
    """What to export, and what to quantize it with."""
    check_model(options.model, tflite=True)
    chosen = choose(options, own_ram=True)
    if Path(options.model).suffix == ".tflite":
        if options.data is not None or options.front is not None:
            raise QuantizationError(
                "--data and --front go with a Keras model; a .tflite file has its ranges and zeros: leave them out"
            )
        return options.model, None
    load_tensorflow()  # which a .tflite does not need
    import keras_approx  # noqa: PLC0415

    say(f"loading {options.model}")
    model = load_model(options.model, trust=options.trust)
    calibration = None
    if options.data is not None:
        samples = read_samples(
            options.data, inputs=options.inputs_array, labels=None, shape=input_shape(model)
        )
        training, _ = split(samples, options.validation_share, options.split_seed)
        calibration = training.inputs[: options.calibration_images]
    if chosen is not None and chosen[0].needs_calibration:
        if calibration is None:
            raise InputError(
                "the exploration refitted or re-estimated the model for each design: give --data as for explore"
            )
        keras_approx.apply_design(*chosen, model, calibration=calibration)
        return model, None
    if chosen is not None:
        keras_approx.apply_design(*chosen, model)
    if calibration is not None and is_wrapped(model):
        raise QuantizationError(
            f"{options.model!r} is wrapped, and has the ranges it was calibrated and trained with: leave out --data"
        )
    return model, calibration


def _record(predicted: Estimate) -> dict[str, Any]:
    board = predicted.target.board
    return {
        "core": predicted.target.core.name,
        "board": board.name if board else None,
        "cycles": predicted.cycles,
        "flash_bytes": predicted.flash_bytes,
        "ram_bytes": predicted.ram_bytes,
        "scratch_bytes": predicted.scratch_bytes,
        "state_bytes": predicted.state_bytes,
        "stack_bytes": STACK_BYTES,
        "unpriced_layers": [layer.index for layer in predicted.unpriced],
        "layers": [asdict(layer) for layer in predicted.layers],
    }
