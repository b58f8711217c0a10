"""One design of a saved Pareto front, chosen by options."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from export.commands.program.options import at_least_one, at_least_zero, size
from export.errors import InputError

if TYPE_CHECKING:
    from keras_approx.exploration.front.pareto_front import ParetoFront
    from keras_approx.exploration.records import EvaluatedDesign

_LIMITS = ("max_drop", "max_cycles", "max_flash", "max_ram")


def add_choice(parser: argparse.ArgumentParser, *, ram: bool = True) -> None:
    """Adds the options that name a front and one of its designs.

    Args:
        parser: Of the command.
        ram: Whether to add --max-ram; a command that has it for itself adds it.
    """
    group = parser.add_argument_group(
        "a design of an exploration", "with --front: either --design, or the best one within the limits"
    )
    group.add_argument(
        "--front", metavar="FILE", help="what keras-approx explore or keras_approx.save_front wrote"
    )
    group.add_argument("--design", metavar="ID", help="the design's id, as in front.csv")
    group.add_argument(
        "--max-drop",
        metavar="LOSS",
        type=at_least_zero,
        help="the design of the fewest cycles that loses at most so much of what the exploration kept: 0.01 of "
        "accuracy is one percentage point",
    )
    group.add_argument(
        "--max-cycles", metavar="N", type=at_least_one, help="the most accurate design within N cycles"
    )
    group.add_argument(
        "--max-flash", metavar="BYTES", type=size, help="the design must fit into this much flash"
    )
    if ram:
        group.add_argument(
            "--max-ram", metavar="BYTES", type=size, help="the design must fit into this much RAM"
        )


def read_front(path: str) -> ParetoFront:
    """Reads a saved front.

    Raises:
        InputError: The file cannot be read.
        StoreError: It is something else.
    """
    from keras_approx.exploration.front.file import load_front  # noqa: PLC0415

    try:
        return load_front(path)
    except OSError as error:
        raise InputError(
            f"cannot read the front {path!r}: {error.strerror}; expected what keras-approx explore wrote"
        ) from error


def choose(
    options: argparse.Namespace, *, own_ram: bool = False
) -> tuple[ParetoFront, EvaluatedDesign] | None:
    """The front and its design that the options ask for; None if there is no --front.

    Args:
        options: Of the command.
        own_ram: Whether --max-ram is for the command in any case, and chooses a design only if --design does not.

    Raises:
        InputError: The options do not go together, or the front has no such design.
        OptionError: No design is within the limits.
    """
    limits = {name: getattr(options, name) for name in _LIMITS if getattr(options, name) is not None}
    if own_ram and (options.front is None or options.design is not None):
        limits.pop("max_ram", None)
    wanted = [*(["design"] if options.design is not None else []), *limits]
    shown = ", ".join("--" + name.replace("_", "-") for name in wanted)
    if options.front is None:
        if wanted:
            raise InputError(f"{shown} without --front: name the front that the design is of")
        return None
    if (options.design is not None) == bool(limits):
        raise InputError(
            "with --front, expected either --design or limits such as --max-drop, got " + (shown or "neither")
        )
    front = read_front(options.front)
    if options.design is None:
        return front, front.best(**limits)
    try:
        return front, front[options.design]
    except KeyError:
        raise InputError(
            f"no design {options.design!r} among the {len(front.evaluated):,} of {options.front!r}; "
            "the .csv beside it lists them"
        ) from None


def pricer(model: Any, target: str) -> Any:
    """What prices masks of a wrapped, calibrated model on a core or board.

    Raises:
        QuantizationError: The model was not calibrated.
    """
    from export import Pricer  # noqa: PLC0415

    return Pricer(model, target=target)
