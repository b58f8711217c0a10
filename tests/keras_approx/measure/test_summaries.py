"""Counts are those of the layers, and the table shows them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import keras_approx
from keras_approx.errors import NotWrappedError
from keras_approx.measure.summaries import LayerRow, format_table, summarize
from tests.keras_approx import models


def _wrapped() -> Any:
    wrapped = keras_approx.wrap(models.small())
    masks = keras_approx.get_masks(wrapped)
    masks["first"][:, :, 0, :] = False  # half of each pair: all pairs are still needed
    masks["second"][:, :, 2:4, :] = False  # one pair of three
    masks["third"][:, 1:] = False  # three of four output channels
    keras_approx.set_masks(wrapped, masks)
    return wrapped


def test_rows() -> None:
    assert summarize(_wrapped()).rows == (
        LayerRow("first", "Conv2D", 36 * 27 * 6, 36 * 18 * 6, 9 * 2 * 6, 9 * 2 * 6, 12, 12, quantized=False),
        LayerRow("second", "Conv2D", 9 * 54 * 5, 9 * 36 * 5, 9 * 3 * 5, 9 * 2 * 5, 15, 10, quantized=False),
        LayerRow("third", "Dense", 45 * 4, 45, 23 * 4, 23, 92, 23, (1, 2, 3), quantized=False),
    )


def test_depthwise_layers_are_counted_whole_and_say_why() -> None:
    found = summarize(keras_approx.wrap(models.every_layer()))
    rows = {row.kind: row for row in found.rows}
    row = rows["DepthwiseConv2D"]
    assert row.products == row.kept > 0
    assert row.pairs is None
    first, *_ = found.notes()
    assert first.startswith("No mask: ")
    assert row.name in first
    assert first.endswith("; one loop computes all channels of a depthwise convolution.")
    assert not any(row.unmasked for row in found.rows if row.pairs is not None)


def test_calibrated_layers_are_quantized() -> None:
    wrapped = _wrapped()
    shape = wrapped.input_shape[1:]
    keras_approx.calibrate(wrapped, np.random.default_rng(0).normal(size=(8, *shape)), verbose=False)
    found = summarize(wrapped)
    assert all(row.quantized for row in found.rows)
    assert found.notes() == []


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    wrapped = _wrapped()
    found = keras_approx.summary(wrapped)
    text = capsys.readouterr().out
    assert text == format_table(found) + "\n"
    assert text.splitlines() == [
        "layer   kind    products   kept  kept %  pairs  pairs kept  kernels  kernels kept  empty channels",
        "-------------------------------------------------------------------------------------------------",
        "first   Conv2D     5,832  3,888    66.7    108         108       12            12               0",
        "second  Conv2D     2,430  1,620    66.7    135          90       15            10               0",
        "third   Dense        180     45    25.0     92          23       92            23               3",
        "-------------------------------------------------------------------------------------------------",
        "total              8,442  5,553    65.8",
        "Not quantized before keras_approx.calibrate: all layers.",
    ]
    assert keras_approx.summary(wrapped, print_fn=None) == found
    assert capsys.readouterr().out == ""


def test_model_that_is_not_wrapped() -> None:
    with pytest.raises(NotWrappedError, match="wrap"):
        keras_approx.summary(models.small())
