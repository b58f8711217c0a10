"""A network that does not fit its board is refused before anything is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from export.api import to_c
from export.errors import TargetError
from export.frontend import read_tflite
from export.passes import run_passes
from export.schedule import Requirements, Schedule, plan_network
from export.schedule.estimate import Estimate, estimate_schedule
from export.schedule.fit import check_fit
from export.targets import Target, resolve
from tests.export.boards import board_of_size
from tests.export.models.networks import Layers


def wide_network() -> bytes:
    """Activations of 150 KiB between its first two layers."""
    network = Layers(np.random.default_rng(0))
    x = network.input((96, 96, 1))
    y = network.conv(x, 8, (1, 1))
    return network.builder.finish(x, network.mean(network.pool(y, kernel=(4, 4))))


@pytest.fixture(scope="module")
def planned() -> tuple[Schedule, Estimate]:
    target = resolve("stm32f405")
    schedule = plan_network(run_passes(read_tflite(wide_network())), Requirements(target))
    return schedule, estimate_schedule(schedule, target)


def on_board(estimate: Estimate, *, flash_bytes: int, ram_bytes: int) -> Estimate:
    """The estimate for a board of other memories."""
    board = board_of_size("stm32f405", flash_bytes=flash_bytes, ram_bytes=ram_bytes)
    return replace(estimate, target=Target(estimate.target.core, board))


def test_memories_that_are_just_large_enough(planned: tuple[Schedule, Estimate]) -> None:
    schedule, estimate = planned
    flash, ram = estimate.flash_bytes, estimate.ram_bytes
    check_fit(schedule, on_board(estimate, flash_bytes=flash, ram_bytes=ram))
    check_fit(schedule, replace(estimate, target=Target(estimate.target.core, None)))


def test_too_little_flash_names_the_largest_layers(planned: tuple[Schedule, Estimate]) -> None:
    schedule, estimate = planned
    assert estimate.flash_bytes is not None
    with pytest.raises(TargetError) as error:
        check_fit(schedule, on_board(estimate, flash_bytes=estimate.flash_bytes - 7, ram_bytes=1 << 20))
    largest = max(estimate.layers, key=lambda layer: layer.flash_bytes or 0)
    message = str(error.value)
    assert f"{estimate.flash_bytes:,} bytes needed" in message
    assert "7 too many" in message
    assert (
        f"most in layer {largest.index} ({largest.kind} {largest.name!r}, {largest.flash_bytes:,} b"
        in message
    )
    assert "Keep fewer products" in message
    assert "RAM" not in message


def test_too_little_ram_names_the_layers_at_its_peak(planned: tuple[Schedule, Estimate]) -> None:
    schedule, estimate = planned
    ram = estimate.ram_bytes
    with pytest.raises(TargetError) as error:
        check_fit(schedule, on_board(estimate, flash_bytes=1 << 20, ram_bytes=ram - 4))
    message = str(error.value)
    assert f"RAM: {ram:,} bytes of activations; there are {ram - 4:,} in RAM, 4 too many" in message
    assert f"(conv2d 't1', {ram:,} bytes)" in message or f", {ram:,} bytes)" in message
    assert "mean" not in message  # it works on little
    assert "Flash" not in message


def test_nothing_is_written_and_a_board_that_fits_is_named(tmp_path: Path) -> None:
    network = Layers(np.random.default_rng(0))
    x = network.input((160, 160, 2))
    model = network.builder.finish(x, network.mean(network.conv(x, 2, (1, 1))))
    with pytest.raises(
        TargetError, match=r"does not fit stm32f405 .* too many; most in layer .*nucleo-u575zi-q"
    ):
        to_c(model, tmp_path / "out", target="stm32f405")
    assert not list(tmp_path.iterdir())
    to_c(model, tmp_path / "out", target="cortex-m4")  # no board, nothing to fit
