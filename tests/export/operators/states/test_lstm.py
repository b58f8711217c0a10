"""LSTM layers that are refused."""

from __future__ import annotations

import pytest

from export.errors import UnsupportedModelError
from export.frontend import read_tflite
from tests.export.models.bench import Bench, lstm


@pytest.mark.parametrize("time_major", [False, True])
def test_an_lstm_of_a_batch_is_refused(time_major: bool) -> None:
    """Which of its first two dimensions is the batch is an option: no batch may be taken for steps."""
    bench = Bench()
    shape = (1, 7, 6) if time_major else (7, 1, 6)
    y = lstm(bench, bench.builder.reshape(bench.s, shape), 3, time_major=time_major)
    with pytest.raises(UnsupportedModelError, match="sequence of batch 1"):
        read_tflite(bench.builder.finish(bench.inputs, y))


def test_an_lstm_of_diagonals_is_refused() -> None:
    bench = Bench()
    y = lstm(bench, bench.s, 3)
    bench.builder._operators[-1].builtinOptions.diagonalRecurrentTensors = True
    with pytest.raises(UnsupportedModelError, match="diagonals"):
        read_tflite(bench.builder.finish(bench.inputs, y))
