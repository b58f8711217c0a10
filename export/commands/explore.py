"""The command `explore`: searches the Pareto front of a wrapped model and saves it."""

from __future__ import annotations

import argparse
import inspect
import multiprocessing
import signal
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from export.commands.inputs.designs import pricer
from export.commands.inputs.ends import input_shape, output_shape
from export.commands.inputs.models import add_model, check_model, is_wrapped, load_model
from export.commands.inputs.samples import read_samples, split
from export.commands.program.console import Interrupted, Result, Steps, load_tensorflow, told
from export.commands.program.files import check_new_file
from export.commands.program.options import (
    Commands,
    add_calibration_images,
    add_command,
    add_data,
    add_exempt,
    add_new_file,
    add_split,
    add_target,
    at_least_one,
    by_layer,
    layer_granularities,
    seed,
)
from export.errors import InputError, OutputPathError
from export.targets import resolve
from keras_approx.exploration.front.tables import is_front_csv
from keras_approx.exploration.quality import ACCURACY, shown
from keras_approx.skipping.granularity import GRANULARITIES
from keras_approx.skipping.significance import ELIMINATION, METRICS
from keras_approx.text import plural, text_table

if TYPE_CHECKING:
    from keras_approx.exploration.front.pareto_front import ParetoFront
    from keras_approx.exploration.records import EvaluatedDesign
    from keras_approx.exploration.search.protocol import Search

_SEARCHES = ("budget", "grid", "evolve", "alone")
_EXAMPLES = """\
  keras-approx explore wrapped.keras --data train.npz --out front.json
  keras-approx explore wrapped.keras --data train.npz --search evolve --target cortex-m4 --out front.json
  keras-approx explore wrapped.keras --data train.npz --search grid --select threshold --values 0:0.01:0.001 \\
      --exempt conv2d --out front.json
  keras-approx explore wrapped.keras --data train.npz --metric mae --out front.json      # of a model of values
  keras-approx explore wrapped.keras --data train.npz --workers 2 --search-option budgets=40 --out front.json

Nothing is trained. wrapped.keras is what keras-approx wrap made with the same --data; the samples set apart by
--validation-share measure accuracy, or another metric. If the command is stopped, by Ctrl-C or a crash, the same
command resumes, and evaluates no design twice.
"""


def add_parser(commands: Commands[argparse.ArgumentParser], help: str) -> None:
    """Adds the command to the program's parser."""
    parser = add_command(
        commands,
        "explore",
        help=help,
        description="Measures many designs, which say for each layer what to skip, and saves the front of those that "
        "no other beats in predicted cycles and in accuracy, or another metric, on validation data.",
        examples=_EXAMPLES,
    )
    add_model(parser)
    add_data(parser, required=True, help=".npz file of training inputs and labels", labels=True)
    add_split(parser)
    add_calibration_images(parser, "as for wrap")
    parser.add_argument(
        "--validation-images",
        metavar="N",
        type=at_least_one,
        help="how many of the samples set apart to use at most (default: all)",
    )
    parser.add_argument(
        "--metric",
        metavar="NAME",
        default=ACCURACY,
        help="score of a design: accuracy, auc, mae, mse, or another of tf_keras.metrics, if its name says which way "
        "is better (default: accuracy)",
    )
    add_new_file(parser, "JSON file to write the front to; a table goes beside it as .csv")
    add_target(parser)
    _add_search(parser)
    parser.set_defaults(run=run)


def _add_search(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("search")
    group.add_argument("--search", choices=_SEARCHES, default="budget", help="default: budget")
    group.add_argument(
        "--search-option",
        metavar="NAME=N",
        action="append",
        type=_search_option,
        default=[],
        help="an option of the search, such as budgets=40 or generations=30; can be given again",
    )
    group.add_argument(
        "--select", choices=("fraction", "threshold"), default="fraction", help="default: fraction"
    )
    group.add_argument(
        "--values",
        metavar="FIRST:LAST:STEP",
        type=_values,
        help="fractions or thresholds that a layer may have (default: 0.05:1:0.05 for fractions)",
    )
    group.add_argument(
        "--granularity",
        metavar="[LAYER=]NAME[,NAME]",
        type=layer_granularities,
        action="append",
        help=f"what is kept or skipped together: {', '.join(GRANULARITIES)}; of several, each "
        "layer chooses its own; with the name or pattern of layers it is for those alone; can be given again, and the "
        "first that matches counts (default: what pays in a layer, for fractions and the search budget, else pair)",
    )
    add_exempt(group, default=[])
    group.add_argument(
        "--significance",
        choices=sorted([*METRICS, ELIMINATION]),
        help="metric, or elimination, which refits the other weights for each design (default: elimination for "
        "fractions and the search budget, else energy)",
    )
    group.add_argument(
        "--recalibrate",
        action="store_true",
        help="re-estimate batch normalization for every design: takes longer, and is nearer to what fine-tuning gives",
    )
    group.add_argument("--seed", metavar="N", type=seed, default=0, help="of everything random (default: 0)")
    group.add_argument(
        "--workers", metavar="N", type=at_least_one, default=1, help="processes that measure (default: 1)"
    )
    group.add_argument(
        "--store", metavar="DIR", type=Path, help="folder of what was measured (default: OUT.store)"
    )


def run(options: argparse.Namespace) -> Result:
    """Explores, from what the store holds already, and saves."""
    say = Steps()
    check_new_file(options.out, options.force)
    _check_table(options.out.with_suffix(".csv"), options)
    resolve(options.target)
    check_model(options.model)
    load_tensorflow()
    import keras_approx  # noqa: PLC0415

    search = _search(options.search, dict(options.search_option))
    say(f"loading {options.model}")
    model = load_model(options.model, trust=options.trust)
    if not is_wrapped(model):
        raise InputError(
            f"expected a wrapped model, {options.model!r} is none: keras-approx wrap makes it one, with --data"
        )
    output_shape(model, "explorations rank designs by one score")
    samples = read_samples(
        options.data,
        inputs=options.inputs_array,
        labels=options.labels_array,
        shape=input_shape(model),
        classes=False,
    )
    training, validation = split(samples, options.validation_share, options.split_seed)
    validation = validation[: options.validation_images]
    say(f"planning kernels for {options.target}")
    with told(say, "export.schedule"):
        price = pricer(model, options.target)
    store = options.store or options.out.with_name(options.out.name + ".store")
    say(f"exploring with {plural(len(validation), 'validation sample')}; what is measured is kept in {store}")
    try:
        with _executor(options.workers) as executor:
            front = keras_approx.explore(
                model,
                calibration=training.inputs[: options.calibration_images],
                validation=(validation.inputs, validation.targets),
                metric=options.metric,
                price=price,
                search=search,
                out=store,
                select=options.select,
                values=options.values,
                granularity=by_layer(options.granularity, "--granularity") if options.granularity else None,
                exempt=options.exempt,
                significance=options.significance,
                recalibrate=options.recalibrate,
                executor=executor,
                seed=options.seed,
            )
    except KeyboardInterrupt:
        raise Interrupted(
            f"the designs evaluated so far are in {str(store)!r}; the same command resumes from there"
        ) from None
    front.settings["target"] = options.target
    return _result(front, options.out, _save(front, options.out))


def _check_table(path: Path, options: argparse.Namespace) -> None:
    """Makes sure that the table replaces neither the front nor a file that is no table."""
    if path == options.out:
        raise OutputPathError(
            f"expected --out to end in .json, got {str(path)!r}: that is where the table goes"
        )
    if path.exists() and not options.force and not is_front_csv(path):
        raise OutputPathError(
            f"the table would replace {str(path)!r}, which is no table of a front: choose another --out, or give "
            "--force to replace it"
        )


def _save(front: ParetoFront, out: Path) -> Path:
    """Saves a front and its table, and returns the path of the table."""
    import keras_approx  # noqa: PLC0415

    table_path = out.with_suffix(".csv")
    try:
        keras_approx.write_front_csv(front, table_path)
        keras_approx.save_front(front, out)  # last, and at once: where it is, all is done
    except OSError as error:
        raise OutputPathError(f"cannot write {str(out)!r}: {error.strerror}; choose another --out") from error
    return table_path


def _search(name: str, options: dict[str, int]) -> Search:
    """The search of a name, with its options."""
    import keras_approx  # noqa: PLC0415

    kinds = {"alone": keras_approx.Alone, "budget": keras_approx.Budget, "grid": keras_approx.Grid}
    kinds |= {"evolve": keras_approx.Evolve}
    known = inspect.signature(kinds[name]).parameters
    unknown = [option for option in options if option not in known]
    if unknown:
        raise InputError(
            f"search {name!r} has no option {', '.join(unknown)}; it has {', '.join(known) or 'none'}"
        )
    return kinds[name](**options)


@contextmanager
def _executor(workers: int) -> Iterator[Executor | None]:
    """A pool of processes; None for this process alone."""
    if workers == 1:
        yield None
        return
    # A terminal sends Ctrl-C to all processes; workers inherit that they ignore it.
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        pool = ProcessPoolExecutor(
            workers, mp_context=multiprocessing.get_context("spawn"), initializer=load_tensorflow
        )
        for _ in range(workers):
            pool.submit(int)  # starts one
    finally:
        signal.signal(signal.SIGINT, previous)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _result(front: ParetoFront, out: Path, table_path: Path) -> Result:
    exact = front.exact
    chosen = {exact.id: ("exact", exact)}
    for loss in front.losses():
        record = front.best(max_drop=loss.drop)
        chosen.setdefault(record.id, (f"loses at most {loss.text}" if loss.drop else "loses nothing", record))
    head = ("design", "id", front.metric, "kept", *exact.costs)
    text = text_table(head, [_row(front, why, record) for why, record in chosen.values()], text=(0, 1))
    return Result(
        f"{text}\nkept: of the products that can be skipped\n"
        f"{out}: {plural(len(front.evaluated), 'design')}, {len(front.designs):,} on the front; table: {table_path}",
        {
            "out": str(out),
            "table": str(table_path),
            "metric": front.metric,
            "evaluated": len(front.evaluated),
            "exact": exact.to_json(),
            "front": [record.to_json() for record in front.designs],
        },
    )


def _row(front: ParetoFront, why: str, record: EvaluatedDesign) -> tuple[str, ...]:
    costs = (f"{value:,.0f}" for value in record.costs.values())
    return (why, record.id, shown(front.metric, record.score), f"{record.kept:.1%}", *costs)


def _search_option(text: str) -> tuple[str, int]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"expected NAME=N, got {text!r}")
    try:
        return name, int(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a whole number in {text!r}") from None


def _values(text: str) -> list[float]:
    try:
        first, last, step = map(float, text.split(":"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected FIRST:LAST:STEP, got {text!r}") from None
    if not (step > 0 and first <= last < np.inf and (last - first) / step < 10_000):
        raise argparse.ArgumentTypeError(
            f"expected FIRST <= LAST and a STEP above 0 that gives at most 10,000 values, got {text!r}"
        )
    steps = int((last - first) / step + 1e-9)
    return [round(first + step * number, 12) for number in range(steps + 1)]
