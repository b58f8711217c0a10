"""The command `export`."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.artifact.names import check_name
from export.commands.chosen import add_choice, choose
from export.commands.console import Result, Steps, load_tensorflow
from export.commands.models import add_model, check_model, is_wrapped, load_model
from export.commands.options import Commands, add_command, add_data, add_split, add_target, at_least_one, size
from export.commands.samples import read_samples, split
from export.errors import InputError, QuantizationError
from export.kernels.layout import ACTIVATIONS
from export.targets import STACK_BYTES, resolve

if TYPE_CHECKING:
    from export.schedule.estimate import Estimate

_EXAMPLES = """\
  keras-approx export tuned.keras --out out/                            # a wrapped model
  keras-approx export tuned.keras --estimate --target cortex-m4         # cycles, flash and RAM; nothing written
  keras-approx export model.keras --data train.npz --out out/           # a plain one, quantized after training
  keras-approx export model_int8.tflite --out out/ --name resnet --target stm32f405
  keras-approx export model_int8.tflite --out out/ --target stm32f405 --max-ram 48K    # the rest is the firmware's
  keras-approx export wrapped.keras --front front.json --max-drop 0.01 --out out/     # a design, not fine-tuned
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
        help=".npz file of inputs: to quantize a plain Keras model with, or for designs of explore --recalibrate",
    )
    add_split(parser)
    parser.add_argument(
        "--calibration-images",
        metavar="N",
        type=at_least_one,
        default=1000,
        help="inputs to use of it, of those not set apart (default: 1000)",
    )
    add_target(parser)
    parser.add_argument(
        "--name", default="model", help="prefix of files and functions: a lower-case C name (default: model)"
    )
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
    add_choice(parser, ram=False)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> Result:
    """Exports, or predicts what an export takes."""
    say = Steps()
    check_name(options.name)
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
        predicted = estimate(model, **settings)
        return Result(str(predicted), _record(predicted))
    say(f"planning kernels, writing {options.out}")
    written = to_c(model, options.out, name=options.name, **settings)
    text = f"{written.estimate}\n{options.out}: {len(written.manifest['files'])} files"
    return Result(text, {"out": str(options.out), **_record(written.estimate)})


def _model(options: argparse.Namespace, say: Steps) -> tuple[Any, Any]:
    """What to export, and what to quantize it with."""
    check_model(options.model)
    chosen = choose(options, own_ram=True)
    if Path(options.model).suffix == ".tflite":
        if options.data is not None or options.front is not None:
            raise QuantizationError(
                "--data and --front go with a Keras model; a .tflite file has its ranges and zeros: leave them out"
            )
        return options.model, None
    load_tensorflow()  # which a .tflite does not need
    say(f"loading {options.model}")
    model = load_model(options.model, trust=options.trust)
    calibration = None
    if options.data is not None:
        samples = read_samples(
            options.data, inputs=options.inputs_array, labels=None, shape=tuple(model.input_shape[1:])
        )
        training, _ = split(samples, options.validation_share, options.split_seed)
        calibration = training.inputs[: options.calibration_images]
    if chosen is not None and chosen[0].measured_anew:
        if calibration is None:
            raise InputError(
                "the exploration measured the model anew for each design: give --data as for explore"
            )
        chosen[0].apply(chosen[1], model, calibration=calibration)
        return model, None
    if chosen is not None:
        chosen[0].apply(chosen[1], model)
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
