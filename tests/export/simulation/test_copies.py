"""Kernels that run as copies from RAM: every byte, everywhere, and what they save."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from export.api import to_c
from export.artifact.compiling import build_arm, build_host
from export.artifact.manifest import read_manifest
from export.frontend.reference import run_reference
from export.simulation import simulate
from export.targets import get_board
from tests.export.models.networks import Layers, random_inputs


def network() -> bytes:
    """Half of the pairs skipped in a layer whose code is longer than the caches of the F405 and the G474."""
    layers = Layers(np.random.default_rng(7), zeros=0.7)
    x = layers.input((10, 10, 16))
    y = layers.conv(x, 24, activation="relu")
    return layers.builder.finish(x, layers.dense(layers.builder.reshape(y, (1, 2400)), 4))


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("copies")
    return {
        board: to_c(network(), folder / board, target=board).path for board in ("stm32f405", "nucleo-g474re")
    }


@pytest.mark.parametrize("board", ["stm32f405", "nucleo-g474re"])
def test_copies_lie_in_their_bank_and_save_waits(exports: dict[str, Path], board: str) -> None:
    out_dir = exports[board]
    layers = read_manifest(out_dir).layers
    copied = sum(layer.copied_bytes for layer in layers)
    bank = get_board(board).placements[0].code
    assert bank is not None
    assert bank.code_origin is not None
    assert 2000 < copied <= bank.size
    image = build_arm(out_dir, board=get_board(board))
    inside = [segment for segment in image.segments if segment.executable and segment.writable]
    assert [segment.address for segment in inside] == [bank.code_origin]
    assert copied <= len(inside[0].data) <= copied + 64
    inputs = random_inputs((10, 10, 16), 2)
    result = simulate(out_dir, inputs)
    np.testing.assert_array_equal(result.outputs, run_reference(network(), inputs))
    assert result.board_cycles is not None
    for measured, predicted in zip(result.per_layer, layers, strict=False):
        assert predicted.predicted_board_cycles is not None
        if predicted.kind == "conv2d" and measured.board_cycles is not None:
            waits = measured.board_cycles.high - measured.cycles
            assert waits < 0.5 * measured.cycles
            # The upper end is of lines that are read ahead each time and never enter the cache; constants wait for
            # them, which the expectation leaves out.
            for end, tolerance in ((0, 0.01), (1, 0.06)):
                off = predicted.predicted_board_cycles[end] - measured.board_cycles[end]
                assert abs(off) < tolerance * measured.cycles


def test_without_a_bank_of_their_own_they_run_from_data(exports: dict[str, Path]) -> None:
    out_dir, inputs = exports["stm32f405"], random_inputs((10, 10, 16), 1)
    expected = run_reference(network(), inputs)
    for where in ({"core": "cortex-m4"}, {"board": "nucleo-u575zi-q"}, {"core": "cortex-m3"}):
        np.testing.assert_array_equal(simulate(out_dir, inputs, **where).outputs, expected)
    np.testing.assert_array_equal(build_host(out_dir).run(inputs), expected)
