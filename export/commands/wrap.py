"""The command `wrap`: gives a model masks and int8 quantization, and calibrates it."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from export.commands.inputs.ends import input_shape
from export.commands.inputs.models import add_model, check_model, check_model_name, load_model, save_model
from export.commands.inputs.samples import read_samples, split
from export.commands.program.console import Result, Steps, load_tensorflow
from export.commands.program.files import check_new_file
from export.commands.program.options import (
    Commands,
    add_calibration_images,
    add_command,
    add_data,
    add_input_range,
    add_new_file,
    add_split,
    input_range,
)
from keras_approx.text import plural

_EXAMPLES = """\
  keras-approx wrap model.keras --data train.npz --out wrapped.keras
  keras-approx wrap model.h5 --data train.npz --input-range -1 0.9921875 --out wrapped.keras
  keras-approx wrap model.keras --out wrapped.keras               # calibrate later, in Python

The wrapped model trains with tf_keras as any other; load it in keras_approx.approx_scope().
"""


def add_parser(commands: Commands[argparse.ArgumentParser], help: str) -> None:
    """Adds the command to the program's parser."""
    parser = add_command(
        commands,
        "wrap",
        help=help,
        description="Wraps a trained Keras model, so that it can skip products and be quantized while it trains, and "
        "calibrates it with samples.",
        examples=_EXAMPLES,
    )
    add_model(parser)
    add_data(
        parser,
        required=False,
        help=".npz file of inputs as the model takes them, to calibrate with",
        labels=False,
    )
    add_split(parser)
    add_new_file(parser, "file to write, .keras or .h5")
    add_calibration_images(parser, "samples to calibrate with, of those not set apart")
    add_input_range(parser)
    parser.add_argument(
        "--skipped-gradient",
        choices=("zero", "straight_through"),
        default="zero",
        help="whether weights of skipped products train (default: zero, they do not)",
    )
    parser.add_argument(
        "--no-compensation",
        action="store_true",
        help="do not add the expected value of what is skipped to the biases",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> Result:
    """Wraps, calibrates and saves."""
    say = Steps()
    check_model_name(options.out)
    check_new_file(options.out, options.force)
    check_model(options.model)
    load_tensorflow()
    import keras_approx  # noqa: PLC0415
    from keras_approx.measure.summaries import format_table, summarize  # noqa: PLC0415

    say(f"loading {options.model}")
    wrapped = keras_approx.wrap(
        load_model(options.model, trust=options.trust),
        skipped_gradient=options.skipped_gradient,
        compensate=not options.no_compensation,
        input_range=input_range(options),
    )
    images = 0
    if options.data is not None:
        shape = input_shape(wrapped)
        samples = read_samples(options.data, inputs=options.inputs_array, labels=None, shape=shape)
        training, _ = split(samples, options.validation_share, options.split_seed)
        images = min(options.calibration_images, len(training))
        say(f"calibrating with {images:,} of {len(samples):,} samples")
        keras_approx.calibrate(wrapped, training.inputs[:images], verbose=False)
    save_model(wrapped, options.out)
    summary = summarize(wrapped)
    state = f"calibrated with {plural(images, 'sample')}" if images else "not calibrated"
    return Result(
        f"{format_table(summary)}\n{options.out}: wrapped, {state}",
        {
            "out": str(options.out),
            "calibration_images": images,
            "layers": [asdict(row) for row in summary.rows],
        },
    )
