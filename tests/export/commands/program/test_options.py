"""Options that commands share give what keras_approx takes."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import pytest

from export.commands.program.options import (
    add_granularity,
    at_least_one,
    at_least_zero,
    by_layer,
    count,
    fraction,
    granularity,
    layer_granularities,
    positive,
    seed,
    share,
    size,
    weight,
)
from export.errors import InputError


def _granularity(*given: str) -> str | dict[str, str] | None:
    parser = argparse.ArgumentParser()
    add_granularity(parser)
    arguments = [word for value in given for word in ("--granularity", value)]
    return granularity(parser.parse_args(arguments))


def test_granularity_of_all_and_of_single_layers() -> None:
    assert _granularity() is None
    assert _granularity("kernel block") == "kernel block"
    assert _granularity("conv*=kernel", "conv1=pair") == {"conv*": "kernel", "conv1": "pair"}
    found = _granularity("kernel", "conv1=pair", "a=b=operand")
    assert found == {"conv1": "pair", "a=b": "operand", "*": "kernel"}
    assert list(found)[-1] == "*"  # the first that matches counts


def test_granularity_that_cannot_be(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="twice for conv1"):
        _granularity("conv1=pair", "conv1=kernel")
    with pytest.raises(InputError, match="twice for all layers"):
        _granularity("pair", "kernel")
    with pytest.raises(SystemExit):
        _granularity("conv1=tap")
    assert "expected one of operand, pair, block, kernel, kernel block, got 'tap'" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        _granularity("conv1=pair,kernel")
    assert "got 'pair,kernel'" in capsys.readouterr().err


def test_granularities_of_all_layers_come_last_and_none_twice() -> None:
    given = [layer_granularities(text) for text in ("kernel,pair", "conv1=block")]
    found = by_layer(given, "--granularity")
    assert list(found.items()) == [("conv1", ("block",)), ("*", ("kernel", "pair"))]
    with pytest.raises(InputError, match="twice for conv1"):
        by_layer([*given, layer_granularities("conv1=pair")], "--granularity")


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (share, "0.5", ("0", "1", "nan", "half", "")),
        (fraction, "1", ("0", "1.5", "inf", "x")),
        (weight, "0", ("-0.1", "nan", "x")),
        (positive, "1e3", ("0", "inf", "x")),
        (at_least_zero, "0", ("-1", "inf", "x")),
        (count, "0", ("-1", "1.5", "x")),
        (seed, "4294967295", ("4294967296", "-1", "1.5", "9" * 5000)),
        (at_least_one, "1", ("0", "1.5", "")),
        (size, "48K", ("0", "48M", "-1", "x")),
    ],
)
def test_numbers(kind: Callable[[str], float], good: str, bad: tuple[str, ...]) -> None:
    """What argparse would say of any other error is the name of a function."""
    assert kind(good) == (48 << 10 if kind is size else float(good))
    for text in bad:
        with pytest.raises(argparse.ArgumentTypeError, match=r"^expected .*, got '"):
            kind(text)
