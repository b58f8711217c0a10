"""How firmware starts chips, over a model of their registers: what is set before the core switches to the PLL."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from export.targets import BOARDS, FAMILIES, Board, Prefetch, get_board
from tests.export.firmware.registers import Machine, machine

WITH_FIRMWARE = [board.name for board in BOARDS.values() if board.startup is not None]


def started(name: str) -> tuple[Board, int]:
    board = get_board(name)
    assert board.startup is not None
    return board, FAMILIES[board.startup.family].reset_hz


def baud(chip: Machine) -> float:
    """What the UART sends at, by its divider."""
    assert chip.board.startup is not None
    family = FAMILIES[chip.board.startup.family]
    uart = family.uarts[chip.board.startup.uart]
    divider = chip[uart.base + (0x08 if chip.board.startup.family == "f4" else 0x0C)]
    return chip.library.chip_uart_hz() * uart.fineness / divider


def test_every_listed_board_has_firmware() -> None:
    assert sorted(WITH_FIRMWARE) == sorted(BOARDS)


@pytest.mark.parametrize("name", WITH_FIRMWARE)
def test_boards_reach_their_clock(name: str, tmp_path: Path) -> None:
    board, reset_hz = started(name)
    assert board.startup is not None
    chip = machine(board, tmp_path)
    chip.library.chip_prepare_memories()
    chip.library.output_start()
    assert chip.library.chip_clock_hz() == reset_hz
    assert abs(baud(chip) / 115200 - 1) < 0.02
    assert chip.start() is None
    assert chip.library.chip_clock_hz() == board.clock_hz
    assert chip.chip.clock_hz(chip.values()) == board.clock_hz
    assert chip.at_switch is not None
    for address, bits in chip.chip.before:
        assert chip.at_switch.get(address, 0) & bits == bits, hex(address)
    acr = chip.at_switch[chip.chip.flash]
    assert acr & 15 == board.startup.latency
    assert acr >> 8 & 1 == (board.flash.prefetch is not Prefetch.NONE)
    assert chip.library.chip_remark() is None
    chip.library.output_start()
    assert abs(baud(chip) / 115200 - 1) < 0.01


@pytest.mark.parametrize(
    "name", ["stm32f405", "nucleo-l4r5zi", "nucleo-u575zi-q", "nucleo-h563zi", "nucleo-h743zi2"]
)
def test_a_pll_that_does_not_start_leaves_the_clock_after_reset(name: str, tmp_path: Path) -> None:
    board, reset_hz = started(name)
    chip = machine(board, tmp_path)
    chip.broken.add(chip.chip.answers[0][1])
    before = chip[chip.chip.flash]
    assert chip.start() == "the PLL did not start"
    assert chip.at_switch is None
    assert chip[chip.chip.flash] == before
    assert chip.library.chip_uart_hz() in (reset_hz, reset_hz // 2)  # a bus may be slowed down for the switch


@pytest.mark.parametrize(("code", "prefetches"), [(0x1000_6413, 0), (0x2000_6411, 0), (0x1007_6413, 1)])
def test_f405_prefetches_but_in_revision_a(code: int, prefetches: int, tmp_path: Path) -> None:
    chip = machine(get_board("stm32f405"), tmp_path)
    chip[0xE0042000] = code
    assert chip.start() is None
    assert chip[chip.chip.flash] >> 8 & 1 == prefetches
    assert (chip.library.chip_remark() is None) == bool(prefetches)


def test_f405_puts_sram_at_zero_for_copies(tmp_path: Path) -> None:
    chip = machine(get_board("stm32f405"), tmp_path)
    chip.library.chip_prepare_memories()
    assert chip[0x40023844] >> 14 & 1  # SYSCFG
    assert chip[0x40013800] & 3 == 3
    assert chip[0x40023844] & ~(1 << 14) == 0


@pytest.mark.parametrize(("name", "overdrive"), [("nucleo-f446re", 1), ("stm32f405", 0)])
def test_over_drive_where_it_is_needed(name: str, overdrive: int, tmp_path: Path) -> None:
    chip = machine(get_board(name), tmp_path)
    chip.start()
    assert chip[0x40007000] >> 16 & 3 == 3 * overdrive


def test_revision_y_of_the_h743(tmp_path: Path) -> None:
    fast = machine(get_board("nucleo-h743zi2"), tmp_path)
    fast[0x5C001000] = 0x1003_6450
    assert "revision Y" in (fast.start() or "")
    assert fast.at_switch is None
    fast.library.chip_prepare_memories()
    assert fast[0x51008108] == 1


def test_boost_halves_the_bus_while_it_switches(tmp_path: Path) -> None:
    chip = machine(get_board("nucleo-g474re"), tmp_path)
    assert chip.start() is None
    assert chip.at_switch is not None
    assert chip.at_switch[0x40021008] >> 4 & 15 == 8
    assert chip[0x40021008] >> 4 & 15 == 0
    order = [address for address, _ in chip.writes]
    assert order.index(0x40021008) < order.index(0x40007080) < order.index(0x40021000)


def test_the_pin_of_port_g_gets_its_supply(tmp_path: Path) -> None:
    chip = machine(get_board("nucleo-l4r5zi"), tmp_path)
    chip.library.output_start()
    assert chip[0x40007004] >> 9 & 1
    assert chip[0x48001800] >> 14 & 3 == 2  # PG7: alternate function
    assert chip[0x48001820] >> 28 & 15 == 8


def test_dual_bank_off_is_remarked(tmp_path: Path) -> None:
    chip = machine(get_board("nucleo-g474re"), tmp_path)
    chip[0x40022020] = 0
    assert b"128 bits" in chip.library.chip_remark()


def test_caches_are_on(tmp_path: Path) -> None:
    for name, register, bits in (("nucleo-u575zi-q", 0x40030400, 1), ("nucleo-h743zi2", 0xE000ED14, 3 << 16)):
        folder = tmp_path / name
        folder.mkdir()
        chip = machine(get_board(name), folder)
        chip.library.chip_start_caches()
        assert chip[register] & bits == bits


def test_a_slower_board_of_the_users(tmp_path: Path) -> None:
    board = get_board("stm32f405")
    assert board.startup is not None
    slow = replace(
        board,
        clock_hz=120_000_000,
        startup=replace(board.startup, n=120, latency=3),
        flash=replace(board.flash, waits=3),
    )
    chip = machine(slow, tmp_path)
    assert chip.start() is None
    assert chip.chip.clock_hz(chip.values()) == 120e6
