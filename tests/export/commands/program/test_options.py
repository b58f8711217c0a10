"""Options that commands share give what keras_approx takes."""

from __future__ import annotations

import argparse

import pytest

from export.commands.program.options import add_granularity, granularity
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
