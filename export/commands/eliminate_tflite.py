"""The command `eliminate` on a `.tflite` file."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from export.analysis import interpreter
from export.answers import classified, decision
from export.api import estimate, to_tflite
from export.commands.inputs.samples import read_samples, read_test, split
from export.commands.program.console import Result, Steps
from export.commands.program.files import check_new_file, write_new_file
from export.commands.program.options import granularity
from export.elimination.network import eliminate, kept_share, quantized_inputs
from export.errors import InputError, OutputPathError, QuantizationError
from export.frontend import read_tflite
from keras_approx.skipping.granularity import DEFAULT
from keras_approx.text import plural


def run_tflite(options: argparse.Namespace) -> Result:
    """Eliminates and saves."""
    say = Steps()
    if options.out.suffix != ".tflite":
        raise OutputPathError(
            f"expected --out to end in .tflite, as the model does, got {str(options.out)!r}"
        )
    if options.input_range is not None:
        raise QuantizationError(
            "--input-range goes with a Keras model; a .tflite file has its ranges already: leave it out"
        )
    check_new_file(options.out, options.force)
    say(f"reading {options.model}")
    data = to_tflite(options.model)
    graph = read_tflite(data)
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise InputError(
            f"the network has {plural(len(graph.inputs), 'input')} and {plural(len(graph.outputs), 'output')}, "
            "expected one of each: call export.eliminate with an array for each input"
        )
    shape, outputs = graph.tensors[graph.input].shape[1:], graph.tensors[graph.output].size
    samples = read_samples(options.data, inputs=options.inputs_array, labels=None, shape=shape)
    test = read_test(options, samples, say, shape=shape, outputs=outputs)
    training, _ = split(samples, options.validation_share, options.split_seed)
    images = training.inputs[: options.images]
    say(f"looking at {len(images):,} of {len(samples):,} samples")
    chosen = granularity(options) or DEFAULT
    found = eliminate(data, images, kept=options.kept, granularity=chosen, exempt=options.exempt)
    predicted = estimate(found)
    write_new_file(options.out, found)
    counted = [layer for layer in predicted.layers if layer.macs]
    kept = sum(layer.kept_macs or 0 for layer in counted) / sum(layer.macs or 0 for layer in counted)
    share = kept_share(found, options.exempt)
    told = f"{predicted}\n{options.out} keeps {share:.1%} of the products that can be skipped ({kept:.1%} of all)"
    record: dict[str, Any] = {
        "out": str(options.out),
        "images": len(images),
        "kept": share,
        "kept_of_all": kept,
    }
    if test is not None:
        answers = interpreter.run(read_tflite(found), quantized_inputs(graph, test.inputs))
        quantization = graph.tensors[graph.output].quant
        threshold = decision(quantization.scale, quantization.zero_point)
        right = classified(answers.reshape(len(test), -1), threshold) == test.targets
        record["test_accuracy"] = float(right.mean())
        told += f": {record['test_accuracy']:.2%} test accuracy"
    return Result(told, {**record, "layers": [asdict(layer) for layer in predicted.layers]})
