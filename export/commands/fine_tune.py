"""The command `fine-tune`: trains a model with masks, and resumes a training that was stopped."""

from __future__ import annotations

import argparse
import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from export.answers import classified
from export.commands.inputs.designs import add_choice, choose, pricer
from export.commands.inputs.ends import input_shape, output_shape
from export.commands.inputs.models import add_model, check_model, check_model_name, load_model, save_model
from export.commands.inputs.samples import Samples, check_classes, read_samples, read_test, split
from export.commands.program.console import Interrupted, Result, Steps, load_tensorflow, verbosity
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
    count,
    fraction,
    granularity,
    input_range,
    positive,
    seed,
    weight,
)
from export.errors import InputError
from keras_approx.errors import CheckpointError
from keras_approx.skipping.granularity import DEFAULT
from keras_approx.skipping.significance import ELIMINATION, METRICS
from keras_approx.text import plural
from keras_approx.training.batches import Augmentation, ShuffledBatches
from keras_approx.training.options import Eliminate, Rank

_EXAMPLES = """\
  keras-approx fine-tune model.keras --data train.npz --kept 0.25 --out tuned.keras
  keras-approx fine-tune model.keras --data train.npz --kept 1 --out exact.keras         # to compare with
  keras-approx fine-tune model.keras --data train.npz --kept 0.2 --epochs 40 --flip --shift 4 --out tuned.keras
  keras-approx fine-tune wrapped.keras --data train.npz --front front.json --max-drop 0 --test test.npz \\
      --out tuned.keras

If the command is stopped, by Ctrl-C or a crash, the same command resumes after the last whole epoch, and gives the
same result as a training that was not interrupted. It takes classifiers of one input and one output; for others there
is keras_approx.fine_tune.
"""


def add_parser(commands: Commands[argparse.ArgumentParser], help: str) -> None:
    """Adds the command to the program's parser."""
    parser = add_command(
        commands,
        "fine-tune",
        help=help,
        description="Fine-tunes a trained classifier, plain or wrapped, with skip masks and int8 quantization in the "
        "loop, distilled from the model as given, and saves it wrapped.",
        examples=_EXAMPLES,
    )
    add_model(parser)
    add_data(parser, required=True, help=".npz file of inputs and class numbers to train on", labels=True)
    add_split(parser)
    parser.add_argument(
        "--test", metavar="FILE", help=".npz file of other samples, for the final accuracy alone"
    )
    add_new_file(parser, "file to write, .keras or .h5")
    _add_masks(parser)
    add_choice(parser)
    _add_training(parser)
    parser.set_defaults(run=run)


def _add_masks(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is skipped")
    group.add_argument(
        "--kept",
        metavar="SHARE",
        type=fraction,
        help="share to keep in the end of the products that can be skipped, without those of --exempt (default: "
        "0.25); 1 for the exact model",
    )
    group.add_argument(
        "--significance",
        choices=sorted([*METRICS, ELIMINATION]),
        help="elimination skips once, before training; metrics rank while training (default: elimination)",
    )
    add_granularity(group)
    add_exempt(group)


def _add_training(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("training")
    group.add_argument("--epochs", metavar="N", type=at_least_one, default=14, help="default: 14")
    group.add_argument("--batch-size", metavar="N", type=at_least_one, default=128, help="default: 128")
    group.add_argument(
        "--learning-rate",
        metavar="RATE",
        type=positive,
        help="peak learning rate (default: from the size of the weights)",
    )
    group.add_argument(
        "--distillation",
        metavar="SHARE",
        type=weight,
        default=0.5,
        help="weight of the teacher (default: 0.5)",
    )
    add_input_range(group)
    group.add_argument("--flip", action="store_true", help="mirror half of the images left to right")
    group.add_argument(
        "--shift",
        metavar="PIXELS",
        type=count,
        default=0,
        help="shift each image by up to this many pixels (default: 0)",
    )
    group.add_argument("--seed", metavar="N", type=seed, default=0, help="of everything random (default: 0)")
    group.add_argument(
        "--checkpoint",
        metavar="DIR",
        type=Path,
        help="folder to continue from after a break, removed in the end (default: OUT.checkpoint)",
    )


def run(options: argparse.Namespace) -> Result:
    """Trains, from the checkpoint if there is one, and saves."""
    say = Steps()
    check_model_name(options.out)
    check_model(options.model)
    chosen = choose(options)
    _check_masks(options)
    load_tensorflow()
    from keras_approx.training.checkpoints import Checkpoints, is_saving  # noqa: PLC0415 (loads TensorFlow)

    folder = options.checkpoint or options.out.with_name(options.out.name + ".checkpoint")
    check_new_file(options.out, options.force or is_saving(folder))
    say(f"loading {options.model}")
    model = load_model(options.model, trust=options.trust)
    samples, test = _read(options, model, say)
    training, validation = split(samples, options.validation_share, options.split_seed)
    augmentation = Augmentation(options.shift, options.flip)
    batches = ShuffledBatches(
        training.inputs, training.targets, options.batch_size, augmentation, options.seed
    )

    import keras_approx  # noqa: PLC0415
    from keras_approx.compat import keras  # noqa: PLC0415

    settings = _settings(options, samples, None if chosen is None else chosen[1].id)
    try:
        checkpoints = Checkpoints(folder, settings, batches)
    except CheckpointError as error:
        raise CheckpointError(f"{error} (--checkpoint names the folder)") from error
    recipe = {**_recipe(options, model), "callbacks": [checkpoints], "verbose": verbosity()}
    keras.utils.set_random_seed(options.seed)
    say(f"{plural(len(training), 'sample')} to train on, {len(validation):,} to validate with")
    held_out = (validation.inputs, validation.targets)
    try:
        if chosen is None:
            tuned, _ = keras_approx.fine_tune(
                model, batches.dataset(), validation_data=held_out, skipping=_skipping(options), **recipe
            )
        else:
            front, record = chosen
            price = pricer(model, front.settings["target"]) if "target" in front.settings else None
            ((tuned, _),) = keras_approx.fine_tune_designs(
                front,
                record,
                model,
                batches.dataset(),
                validation=held_out,
                validation_data=held_out,
                price=price,
                **recipe,
            )
    except KeyboardInterrupt:
        raise Interrupted(
            f"{checkpoints.epoch} of {options.epochs} epochs are in {str(folder)!r}; the same command resumes "
            "from them"
        ) from None
    checkpoints.saving()
    save_model(tuned, options.out)
    figures = {"validation_accuracy": accuracy(tuned, validation)}
    if test is not None:
        figures["test_accuracy"] = accuracy(tuned, test)
    if chosen is not None:
        if test is not None and front.is_share:
            front.annotate(record, test_score=figures["test_accuracy"])
        keras_approx.save_front(front, options.front)
    checkpoints.remove()
    return _result(options, tuned, figures, checkpoints.curves)


def accuracy(model: Any, samples: Samples) -> float:
    """Share of the samples that a model classifies right."""
    from keras_approx.training.tasks import last_activation  # noqa: PLC0415

    outputs = model.predict(samples.inputs, batch_size=256, verbose=0)
    threshold = 0.0 if last_activation(model) == "linear" else 0.5
    return float((classified(outputs.reshape(len(samples), -1), threshold) == samples.targets).mean())


def _check_masks(options: argparse.Namespace) -> None:
    """Refuses options of masks beside a design, which has its own."""
    names = ("kept", "significance", "granularity", "exempt")
    given = [f"--{name}" for name in names if getattr(options, name) is not None]
    if options.front is not None and given:
        raise InputError(f"a design says itself what is kept: leave out {', '.join(given)}, or --front")


def _skipping(options: argparse.Namespace) -> Eliminate | Rank:
    """How products are skipped without a design."""
    kept = 0.25 if options.kept is None else options.kept
    masks: dict[str, Any] = {"granularity": granularity(options) or DEFAULT, "exempt": options.exempt or ()}
    if options.significance in (None, ELIMINATION):
        return Eliminate(kept, **masks)
    return Rank(options.significance, kept, **masks)


def _read(options: argparse.Namespace, model: Any, say: Steps) -> tuple[Samples, Samples | None]:
    """The samples of --data and --test."""
    arrays = {"inputs": options.inputs_array, "labels": options.labels_array}
    shape = input_shape(model)
    samples = read_samples(options.data, shape=shape, **arrays)
    outputs = output_shape(model)[-1]
    check_classes(samples, outputs)
    return samples, read_test(options, samples, say, shape=shape, outputs=outputs)


def _recipe(options: argparse.Namespace, model: Any) -> dict[str, Any]:
    """Options of keras_approx.fine_tune that are not about masks."""
    from keras_approx.compat import keras  # noqa: PLC0415
    from keras_approx.training.tasks import last_activation  # noqa: PLC0415

    return {
        "epochs": options.epochs,
        "learning_rate": options.learning_rate,
        "distillation": options.distillation,
        "input_range": input_range(options),
        "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=last_activation(model) == "linear"),
    }


def _settings(options: argparse.Namespace, samples: Samples, design: str | None) -> dict[str, Any]:
    """All that decides how training goes."""
    names = (
        "validation_share",
        "split_seed",
        "kept",
        "significance",
        "exempt",
        "epochs",
        "batch_size",
    )
    more = ("learning_rate", "distillation", "input_range", "flip", "shift", "seed")
    chosen = {name: getattr(options, name) for name in (*names, *more)}
    return {
        "model": _file_digest(Path(options.model)),
        "data": samples.digest,
        "design": design,
        "granularity": granularity(options),
        **chosen,
    }


def _file_digest(path: Path) -> str:
    """A hash of a file, or of all files in a folder."""
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    found = hashlib.blake2b(digest_size=16)
    for file in files:
        found.update(file.read_bytes())
    return found.hexdigest()


def _result(
    options: argparse.Namespace, tuned: Any, figures: dict[str, float], curves: list[dict[str, float]]
) -> Result:
    from keras_approx.measure.summaries import format_table, summarize  # noqa: PLC0415

    summary = summarize(tuned)
    shown = [f"{value:.2%} {name.replace('_', ' ')}" for name, value in figures.items()]
    return Result(
        f"{format_table(summary)}\n{options.out} {summary.phrase(options.exempt or ())}: {', '.join(shown)}",
        {
            "out": str(options.out),
            **figures,
            "kept": summary.skipping(options.exempt or ()).share,
            "kept_of_all": summary.share,
            "layers": [asdict(row) for row in summary.rows],
            "curves": curves,
        },
    )
