"""The command `eliminate`: skips products of a Keras model or a `.tflite` file without training."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from export.commands.fine_tune import accuracy
from export.commands.inputs.ends import input_shape, output_shape
from export.commands.inputs.models import add_model, check_model, check_model_name, load_model, save_model
from export.commands.inputs.samples import read_samples, read_test, split
from export.commands.program.console import Result, Steps, load_tensorflow, verbosity
from export.commands.program.files import check_new_file
from export.commands.program.options import (
    Commands,
    add_command,
    add_data,
    add_exempt,
    add_granularity,
    add_input_range,
    add_new_file,
    add_split,
    at_least_one,
    fraction,
    granularity,
    input_range,
)
from keras_approx.skipping.granularity import DEFAULT

_EXAMPLES = """\
  keras-approx eliminate model.keras --data train.npz --kept 0.5 --out half.keras
  keras-approx eliminate model.keras --data train.npz --kept 0.25 --exempt logits --test test.npz --out quarter.keras
  keras-approx eliminate model.keras --data train.npz --kept 0.5 --granularity conv1=pair --granularity kernel \\
      --out kernels.keras

  keras-approx eliminate model_int8.tflite --data train.npz --kept 0.5 --granularity kernel --out half.tflite

It takes seconds to minutes. fine-tune, which takes hours, starts from the same elimination and recovers more accuracy.
In a .tflite the int8 weights are fitted, without TensorFlow; a layer's name is that of its weights in the file.
"""


def add_parser(commands: Commands[argparse.ArgumentParser], help: str) -> None:
    """Adds the command to the program's parser."""
    parser = add_command(
        commands,
        "eliminate",
        help=help,
        description="Skips the products whose loss the other weights can make up for, and refits those weights by "
        "least squares. A Keras model is saved wrapped and calibrated, a .tflite with zeros. Labels are not looked at.",
        examples=_EXAMPLES,
    )
    add_model(parser, "int8 .tflite file, ")
    add_data(parser, required=True, help=".npz file of inputs as the model takes them", labels=True)
    add_split(parser)
    parser.add_argument(
        "--test", metavar="FILE", help=".npz file of other samples, with class numbers, for the accuracy"
    )
    add_new_file(parser, "file to write, .keras or .h5, or .tflite for a .tflite")
    parser.add_argument(
        "--kept",
        metavar="SHARE",
        type=fraction,
        default=0.25,
        help="share to keep of the products that can be skipped, without those of --exempt (default: 0.25)",
    )
    add_granularity(parser)
    add_exempt(parser, default=[])
    parser.add_argument(
        "--images",
        metavar="N",
        type=at_least_one,
        default=5000,
        help="samples to look at, of those not set apart (default: 5000)",
    )
    add_input_range(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> Result:
    """Eliminates and saves."""
    if Path(options.model).suffix == ".tflite":
        from export.commands.eliminate_tflite import run_tflite  # noqa: PLC0415 (slow to import)

        return run_tflite(options)
    say = Steps()
    check_model_name(options.out)
    check_new_file(options.out, options.force)
    check_model(options.model)
    load_tensorflow()
    import keras_approx  # noqa: PLC0415
    from keras_approx.measure.summaries import format_table, summarize  # noqa: PLC0415

    say(f"loading {options.model}")
    model = load_model(options.model, trust=options.trust)
    shape = input_shape(model)
    samples = read_samples(options.data, inputs=options.inputs_array, labels=None, shape=shape)
    test = None
    if options.test is not None:
        test = read_test(options, samples, say, shape=shape, outputs=output_shape(model)[-1])
    training, _ = split(samples, options.validation_share, options.split_seed)
    images = training.inputs[: options.images]
    say(f"looking at {len(images):,} of {len(samples):,} samples")
    found = keras_approx.eliminate(
        model,
        images,
        kept=options.kept,
        input_range=input_range(options),
        granularity=granularity(options) or DEFAULT,
        exempt=options.exempt,
        verbose=verbosity() == 1,
    )
    save_model(found, options.out)
    summary = summarize(found)
    told = f"{format_table(summary)}\n{options.out} {summary.phrase(options.exempt)}"
    record: dict[str, Any] = {
        "out": str(options.out),
        "images": len(images),
        "kept": summary.skipping(options.exempt).share,
        "kept_of_all": summary.share,
    }
    if test is not None:
        record["test_accuracy"] = accuracy(found, test)
        told += f": {record['test_accuracy']:.2%} test accuracy"
    return Result(told, {**record, "layers": [asdict(row) for row in summary.rows]})
