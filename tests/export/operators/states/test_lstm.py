"""LSTM layers that are refused, and the stack of a wide one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from export import simulate, to_c
from export.errors import ModelFormatError, QuantizationError, UnsupportedModelError
from export.frontend import read_tflite
from export.targets import STACK_BYTES
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


def test_a_hidden_state_that_could_overflow_is_refused() -> None:
    bench = Bench()
    y = lstm(bench, bench.s, 3)
    between = bench.builder._operators[-1].intermediates
    bench.builder._tensors[between[4]].quantization.scale = [1e-12]
    with pytest.raises(QuantizationError, match="its intermediate tensor 4 is so small"):
        read_tflite(bench.builder.finish(bench.inputs, y))


def test_absent_tensors_are_no_others() -> None:
    bench = Bench()
    y = lstm(bench, bench.s, 3)
    bench.builder._operators[-1].intermediates[4] = -1
    with pytest.raises(ModelFormatError):
        read_tflite(bench.builder.finish(bench.inputs, y))


def test_the_stack_does_not_grow_with_the_units(tmp_path: Path) -> None:
    bench = Bench()
    y = lstm(bench, bench.s, 400)
    written = to_c(bench.builder.finish(bench.s, y), tmp_path / "out", activations="int8")
    measured = simulate(written.path, np.zeros((1, 7, 6), np.int8))
    assert measured.stack_bytes < STACK_BYTES / 2
