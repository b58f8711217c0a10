"""Operators whose counts, axes, types and shapes do not go together: refused as TFLite refuses them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from export.errors import ModelFormatError
from export.frontend import read_tflite
from export.frontend.reference import make_interpreter
from tests.export.models.bench import Bench
from tests.export.models.recipes import RECIPES, Recipe


def _with_options(recipe: str, **options: Any) -> Recipe:
    """A recipe whose last operator's options say something else."""

    def made(b: Bench) -> Any:
        found = RECIPES[recipe](b)
        for name, value in options.items():
            setattr(b.builder._operators[-1].builtinOptions, name, value)
        return found

    return made


def _without_options(recipe: str) -> Recipe:
    def made(b: Bench) -> Any:
        found = RECIPES[recipe](b)
        b.builder._operators[-1].builtinOptions = None
        b.builder._operators[-1].builtinOptionsType = 0
        return found

    return made


def _of_shape(recipe: str, *shape: int) -> Recipe:
    """A recipe whose last tensor has another shape in the file."""

    def made(b: Bench) -> Any:
        found = RECIPES[recipe](b)
        b.builder._tensors[-1].shape = list(shape)
        return found

    return made


def _transposed(*order: int) -> Recipe:
    return lambda b: b.op("TRANSPOSE", [b.x, b.ints(*order)], b.x.shape)


CASES: dict[str, tuple[Callable[[Bench], Any], str]] = {
    "pack of more": (_with_options("pack", valuesCount=3), "it has 2 parts, its options say 3"),
    "pack of fewer": (_with_options("pack first", valuesCount=2), "it has 3 parts, its options say 2"),
    "pack along a far axis": (_with_options("pack", axis=3), "axis 3 of 3 dimensions"),
    "unpack to more": (_with_options("unpack", num=8), "it has 7 parts, its options say 8"),
    "unpack along another axis": (_with_options("unpack", axis=2), "7 outputs for 6 elements"),
    "unpack along a far axis": (_with_options("unpack", axis=-4), "axis -4 of 3 dimensions"),
    "split to more": (_with_options("split", numSplits=3), "it has 2 parts, its options say 3"),
    "split of no options": (_without_options("split rows"), "expected SplitOptions"),
    "split_v to fewer": (_with_options("split_v", numSplits=2), "it has 3 parts, its options say 2"),
    "arg max as floats": (_with_options("arg max", outputType=0), "expected indices of int32 or int64"),
    "arg max of no options": (_without_options("arg max of pixels"), "expected ArgMaxOptions"),
    "arg min as bytes": (
        _with_options("arg min of rows", outputType=9),
        "expected indices of int32 or int64",
    ),
    "slice of another shape": (_of_shape("slice", 1, 3, 4, 5), r"shape \(1, 3, 4, 4\), not \(1, 3, 4, 5\)"),
    "slice of another rank": (_of_shape("slice", 3, 4, 4), r"shape \(1, 3, 4, 4\), not \(3, 4, 4\)"),
    "transpose of a far axis": (_transposed(0, 2, 9, 3), "axis 9 of 4 dimensions"),
    "transposed convolution of another stride": (
        _with_options("transposed convolution", strideW=3),
        r"an output \(1, 12, 10, 3\) has no input \(1, 6, 5, 4\)",
    ),
    "transposed convolution of another padding": (
        _with_options("transposed convolution valid", padding=0),
        "has no input",
    ),
    "reverse along an axis twice": (
        lambda b: b.op("REVERSE_V2", [b.s, b.ints(1, 1)], b.s.shape, kind="ReverseV2Options"),
        r"axes \[1, 1\] are not different",
    ),
}


@pytest.mark.parametrize(("recipe", "message"), CASES.values(), ids=CASES)
def test_what_tflite_refuses_is_refused(recipe: Callable[[Bench], Any], message: str) -> None:
    bench = Bench()
    data = bench.builder.finish(bench.inputs, recipe(bench))
    with pytest.raises(ModelFormatError, match=message):
        read_tflite(data)
    interpreter = make_interpreter(data)
    with pytest.raises(RuntimeError):
        interpreter.allocate_tensors()
        interpreter.invoke()
