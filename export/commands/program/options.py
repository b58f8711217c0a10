"""Options that commands share, and the values they take."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Callable, Sequence
from math import inf
from pathlib import Path
from typing import TypeVar

from export.commands.program.console import HelpFormatter
from export.errors import InputError
from export.targets import CORES
from keras_approx.skipping.granularity import DEFAULT, GRANULARITIES

_Value = TypeVar("_Value")
Commands = argparse._SubParsersAction  # argparse gives its type no public name


def add_command(
    commands: Commands[argparse.ArgumentParser], name: str, *, help: str, description: str, examples: str
) -> argparse.ArgumentParser:
    """Adds a subcommand, with examples at the end of its help."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=help,
        description=textwrap.fill(description, 80),
        epilog=f"examples:\n{examples}",
        formatter_class=HelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--json", metavar="FILE", help="save the result as JSON; '-' prints it in place of the text"
    )
    return parser


def add_data(parser: argparse.ArgumentParser, *, required: bool, help: str, labels: bool) -> None:
    """Adds the options that name a file of samples and its arrays; `labels`: whether the command reads them."""
    parser.add_argument("--data", metavar="FILE", required=required, help=help)
    add_inputs_array(parser)
    if labels:
        parser.add_argument(
            "--labels-array",
            metavar="NAME",
            default="labels",
            help="array of class numbers (default: labels)",
        )


def add_inputs_array(parser: argparse.ArgumentParser) -> None:
    """Adds the option that names the array of inputs in .npz files."""
    parser.add_argument(
        "--inputs-array",
        metavar="NAME",
        default="inputs",
        help="array of inputs in .npz files (default: inputs)",
    )


def add_calibration_images(parser: argparse.ArgumentParser, help: str) -> None:
    """Adds the option that says how many samples to calibrate with."""
    parser.add_argument(
        "--calibration-images", metavar="N", type=at_least_one, default=1000, help=f"{help} (default: 1000)"
    )


def add_split(parser: argparse.ArgumentParser) -> None:
    """Adds the options that set validation samples apart; the same in every command."""
    parser.add_argument(
        "--validation-share",
        metavar="SHARE",
        type=share,
        default=0.1,
        help="share of --data to set apart for validation, which nothing is calibrated or trained with (default: "
        "0.1); every command sets the same samples apart",
    )
    parser.add_argument(
        "--split-seed", metavar="N", type=seed, default=0, help="which samples those are (default: 0)"
    )


def add_target(parser: argparse.ArgumentParser) -> None:
    """Adds the option of the core or board."""
    parser.add_argument(
        "--target",
        metavar="NAME",
        default="cortex-m33",
        help=f"core ({', '.join(sorted(CORES))}), board (see keras-approx boards), or .toml file that describes a "
        "board; host is C for any machine, without predictions; default: cortex-m33",
    )


def add_granularity(parser: argparse._ActionsContainer) -> None:
    """Adds the option of what is kept or skipped together; see `granularity`."""
    parser.add_argument(
        "--granularity",
        metavar="[LAYER=]NAME",
        type=_layer_granularity,
        action="append",
        help=f"what is kept or skipped together: {', '.join(GRANULARITIES)} (default: {DEFAULT}); with the name or "
        "pattern of layers it is for those alone; can be given again, and the first that matches counts",
    )


def granularity(options: argparse.Namespace) -> str | dict[str, str] | None:
    """What --granularity says, as keras_approx takes it; None if it was not given.

    Raises:
        InputError: Two are for the same layers.
    """
    if options.granularity is None:
        return None
    found = {layer: names[0] for layer, names in by_layer(options.granularity, "--granularity").items()}
    return found["*"] if list(found) == ["*"] else found


def by_layer(given: Sequence[tuple[str, _Value]], option: str) -> dict[str, _Value]:
    """What an option says by the name or pattern of layers, "*" last, since the first that matches counts.

    Args:
        given: As it was given, in order.
        option: Its name.

    Raises:
        InputError: Two are for the same layers.
    """
    found = dict(given)
    for layer in found:
        if sum(one == layer for one, _ in given) > 1:
            raise InputError(
                f"{option} is given twice for {'all layers' if layer == '*' else layer}: give it once"
            )
    return {layer: found[layer] for layer in sorted(found, key=lambda layer: layer == "*")}


def layer_granularities(text: str) -> tuple[str, tuple[str, ...]]:
    """The name or pattern of layers, "*" if there is none, and the names of granularities, at least one."""
    layer, _, names = text.rpartition("=")
    found = tuple(names.split(","))
    for name in found:
        if name not in GRANULARITIES:
            raise argparse.ArgumentTypeError(f"expected one of {', '.join(GRANULARITIES)}, got {name!r}")
    return layer or "*", found


def _layer_granularity(text: str) -> tuple[str, tuple[str, ...]]:
    """The same with one name."""
    layer, names = layer_granularities(text)
    if len(names) > 1:
        raise argparse.ArgumentTypeError(
            f"expected one of {', '.join(GRANULARITIES)}, got {','.join(names)!r}"
        )
    return layer, names


def add_exempt(parser: argparse._ActionsContainer, default: list[str] | None = None) -> None:
    """Adds --exempt; its default shows that it was not given."""
    parser.add_argument(
        "--exempt",
        metavar="LAYER",
        action="append",
        default=default,
        help="name or pattern of layers that keep all their products; can be given again",
    )


def add_new_file(parser: argparse.ArgumentParser, help: str) -> None:
    """Adds the option of a file to write."""
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help=help)
    parser.add_argument("--force", action="store_true", help="replace the file if it is there")


def share(text: str) -> float:
    """A number between 0 and 1, 1 excluded."""
    return _number(text, float, lambda value: 0 < value < 1, "a number above 0 and below 1")


def fraction(text: str) -> float:
    """A number above 0 and at most 1."""
    return _number(text, float, lambda value: 0 < value <= 1, "a number above 0 and at most 1")


def weight(text: str) -> float:
    """A number from 0 to 1."""
    return _number(text, float, lambda value: 0 <= value <= 1, "a number from 0 to 1")


def positive(text: str) -> float:
    """A finite number above 0."""
    return _number(text, float, lambda value: 0 < value < inf, "a number above 0")


def at_least_zero(text: str) -> float:
    """A finite number of at least 0."""
    return _number(text, float, lambda value: 0 <= value < inf, "a number of at least 0")


def count(text: str) -> int:
    """A whole number, at least 0."""
    return _number(text, int, lambda value: value >= 0, "a whole number of at least 0")


def seed(text: str) -> int:
    """A seed as all generators of random numbers take it."""
    return _number(text, int, lambda value: 0 <= value < 1 << 32, "a whole number from 0 to below 2^32")


def at_least_one(text: str) -> int:
    """A whole number, at least 1."""
    return _number(text, int, lambda value: value >= 1, "a whole number of at least 1")


def _number(text: str, kind: Callable[[str], _Value], fits: Callable[[_Value], bool], wanted: str) -> _Value:
    """A number that fits; of any other text argparse would name the function that reads it, and not what it reads."""
    try:
        value = kind(text)
    except ValueError:
        pass
    else:
        if fits(value):
            return value
    raise argparse.ArgumentTypeError(f"expected {wanted}, got {text!r}")


def size(text: str) -> int:
    """A number of bytes, at least 1: digits, or digits and K for KiB."""
    match = re.fullmatch(r"([0-9]{1,12})([Kk]?)", text)
    if match is None or int(match[1]) == 0:
        raise argparse.ArgumentTypeError(f"expected bytes, such as 49152 or 48K, got {text!r}")
    return int(match[1]) << (10 if match[2] else 0)


def add_input_range(parser: argparse._ActionsContainer) -> None:
    """Adds the option that says which values inputs can have; see `input_range`."""
    parser.add_argument(
        "--input-range",
        metavar=("LOW", "HIGH"),
        nargs=2,
        type=float,
        help="smallest and largest value inputs can have, for plain models; measured on the samples if not given",
    )


def input_range(options: argparse.Namespace) -> tuple[float, float] | None:
    """What --input-range says, as keras_approx takes it."""
    return None if options.input_range is None else tuple(options.input_range)
