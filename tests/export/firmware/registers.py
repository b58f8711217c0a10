"""A model of chips' registers, as far as starting them goes: the firmware's chip files run over it on this machine."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from export.firmware.board_files import board_header
from export.targets import FAMILIES, Board

_HEADER = """\
#ifndef REGISTERS_H
#define REGISTERS_H
#include <stdint.h>
volatile uint32_t *cell(uint32_t address);
#define REGISTER(address) (*cell(address))
static inline int wait_for(volatile uint32_t *status, uint32_t mask, uint32_t value)
{
    return (*status & mask) == value;
}
static inline int change(volatile uint32_t *where, uint32_t mask, uint32_t value)
{
    *where = (*where & ~mask) | value;
    return 1;
}
static inline void enable(volatile uint32_t *where, uint32_t bits)
{
    *where |= bits;
}
static inline void barrier(void)
{
}
#endif
"""
_CELLS = """\
#include <stdint.h>
volatile uint32_t addresses[256], values[256];
uint32_t used;
void (*touched)(void);
volatile uint32_t *cell(uint32_t address)
{
    uint32_t at = 0;
    touched();
    while (at < used && addresses[at] != address)
        at++;
    if (at == used)
        addresses[used++] = address;
    return &values[at];
}
"""
Bits = tuple[int, int]  # address, mask


@dataclass(frozen=True)
class Chip:
    """What a family's registers do by themselves, from its reference manual.

    Attributes:
        reset: Values after reset, of those that are not 0.
        answers: Status bits that come when control bits are set.
        switch: The register and bits that choose the PLL as the core's clock.
        flash: The register of wait states.
        before: What has to be so when the core switches.
        clock_hz: The PLL's output, from its registers.
    """

    reset: Mapping[int, int]
    answers: Sequence[tuple[Bits, Bits]]
    switch: Bits
    flash: int
    before: Sequence[Bits]
    clock_hz: Callable[[Mapping[int, int]], float]


def _f4_clock(values: Mapping[int, int]) -> float:
    pll = values[0x40023804]
    assert not pll >> 22 & 1  # HSI
    assert pll >> 24 & 15 >= 2
    assert 1 <= 16 / (pll & 63) <= 2  # MHz at the VCO's input
    return 16e6 / (pll & 63) * (pll >> 6 & 511) / (2 * (pll >> 16 & 3) + 2)


def _g4_l4_clock(source_hz: float, source: int) -> Callable[[Mapping[int, int]], float]:
    def clock(values: Mapping[int, int]) -> float:
        pll = values[0x4002100C]
        assert pll & 3 == source
        assert pll >> 24 & 1
        return source_hz / ((pll >> 4 & 15) + 1) * (pll >> 8 & 127) / (2 * (pll >> 25 & 3) + 2)

    return clock


def _u5_clock(values: Mapping[int, int]) -> float:
    config, divider = values[0x46020C28], values[0x46020C34]
    assert config & 3 == 1  # MSIS
    assert config >> 18 & 1
    return 4e6 / ((config >> 8 & 15) + 1) * ((divider & 511) + 1) / ((divider >> 24 & 127) + 1)


def _h5_clock(values: Mapping[int, int]) -> float:
    config, divider = values[0x44020C28], values[0x44020C34]
    assert config & 3 == 1  # HSI
    assert config >> 16 & 1
    reference = 32e6 / (config >> 8 & 63)
    assert 2e6 <= reference <= 4e6
    assert config >> 2 & 3 == 1
    return reference * ((divider & 511) + 1) / ((divider >> 9 & 127) + 1)


def _h7_clock(values: Mapping[int, int]) -> float:
    select, config, divider = values[0x58024428], values[0x5802442C], values[0x58024430]
    assert select & 3 == 0  # HSI
    assert config >> 16 & 1
    assert config & 2 == 0  # the wide VCO
    reference = 64e6 / (select >> 4 & 63)
    assert 8e6 <= reference <= 16e6
    assert config >> 2 & 3 == 3
    return reference * ((divider & 511) + 1) / ((divider >> 9 & 127) + 1)


def _g4_l4(source_hz: float, source: int, sysclk: int) -> Chip:
    return Chip(
        {0x40022000: 0x600, 0x40021008: sysclk, 0x40007080: 1 << 8, 0x40007000: 1 << 9, 0x40022020: 1 << 22},
        [((0x40021000, 1 << 24), (0x40021000, 1 << 25)), ((0x40021008, 3), (0x40021008, 3 << 2))],
        (0x40021008, 3),
        0x40022000,
        [(0x40021000, 1 << 25), (0x40007000, 1 << 9), (0x40021058, 1 << 28), (0x40021008, 8 << 4)],
        _g4_l4_clock(source_hz, source),
    )


CHIPS: Mapping[str, Chip] = {
    "f4": Chip(
        {0x40023804: 0x24003010, 0xE0042000: 0x1003_6413, 0x40007000: 2 << 14},
        [
            ((0x40023800, 1 << 24), (0x40023800, 1 << 25)),
            ((0x40023800, 1 << 24), (0x40007004, 1 << 14)),
            ((0x40007000, 1 << 16), (0x40007004, 1 << 16)),
            ((0x40007000, 1 << 17), (0x40007004, 1 << 17)),
            ((0x40023808, 2), (0x40023808, 2 << 2)),
        ],
        (0x40023808, 2),
        0x40023C00,
        [
            (0x40023800, 1 << 25),
            (0x40007000, 1 << 14),
            (0x40023840, 1 << 28),
            (0x40023808, 5 << 10 | 4 << 13),
        ],
        _f4_clock,
    ),
    "g4": _g4_l4(16e6, 2, 1 | 1 << 2),
    "l4": _g4_l4(4e6, 1, 0),
    "u5": Chip(
        {0x46020C28: 0, 0x40030400: 4},
        [
            ((0x46020C00, 1 << 24), (0x46020C00, 1 << 25)),
            ((0x4602080C, 3 << 16), (0x4602080C, 1 << 15)),
            ((0x4602080C, 3 << 16), (0x4602083C, 7 << 15)),
            ((0x4602080C, 1 << 18), (0x4602080C, 1 << 14)),
            ((0x46020C1C, 3), (0x46020C1C, 3 << 2)),
        ],
        (0x46020C1C, 3),
        0x40022000,
        [(0x46020C00, 1 << 25), (0x4602080C, 3 << 14), (0x46020C94, 1 << 2)],
        _u5_clock,
    ),
    "h5": Chip(
        {0x44020C00: 0x2B, 0x40022000: 0x13, 0x40030400: 4},
        [
            ((0x44020C00, 1 << 24), (0x44020C00, 1 << 25)),
            ((0x44020810, 3 << 4), (0x44020814, 7 << 13 | 1 << 3)),
            ((0x44020C1C, 3), (0x44020C1C, 3 << 3)),
        ],
        (0x44020C1C, 3),
        0x40022000,
        [(0x44020C00, 1 << 25), (0x44020814, 1 << 13), (0x40022000, 2 << 4)],
        _h5_clock,
    ),
    "h7": Chip(
        {
            0x58024428: 0x02020200,
            0x5802442C: 0x01FF0000,
            0x5802480C: 6,
            0x58024804: 1 << 13,
            0x58024818: 1 << 14,
            0x52002000: 0x37,
            0x5C001000: 0x2003_6450,
        },
        [
            ((0x58024400, 1 << 24), (0x58024400, 1 << 25)),
            ((0x58024818, 3 << 14), (0x58024818, 1 << 13)),
            ((0x58024818, 3 << 14), (0x58024804, 3 << 14)),
            ((0x58024410, 3), (0x58024410, 3 << 3)),
        ],
        (0x58024410, 3),
        0x52002000,
        [
            (0x58024400, 1 << 25),
            (0x58024818, 1 << 13),
            (0x58024418, 8),
            (0x5802480C, 2),
            (0x52002000, 2 << 4),
        ],
        _h7_clock,
    ),
}


@dataclass
class Machine:
    """The chip files of a board, compiled over its registers.

    Attributes:
        board: The board.
        broken: Status bits that never come.
        writes: What was written, in order: address and value.
        at_switch: All registers when the core switched to the PLL.
    """

    board: Board
    library: ctypes.CDLL
    broken: set[Bits] = field(default_factory=set)
    writes: list[tuple[int, int]] = field(default_factory=list)
    at_switch: dict[int, int] | None = None

    def __post_init__(self) -> None:
        assert self.board.startup is not None
        self.chip = CHIPS[self.board.startup.family]
        self._addresses = (ctypes.c_uint32 * 256).in_dll(self.library, "addresses")
        self._values = (ctypes.c_uint32 * 256).in_dll(self.library, "values")
        self._used = ctypes.c_uint32.in_dll(self.library, "used")
        self._hook = ctypes.CFUNCTYPE(None)(self._touched)  # kept alive
        ctypes.c_void_p.in_dll(self.library, "touched").value = ctypes.cast(self._hook, ctypes.c_void_p).value
        self._used.value = 0
        for address, value in self.chip.reset.items():
            self[address] = value
        self._seen = self.values()
        self.library.chip_start_clock.restype = ctypes.c_char_p
        self.library.chip_clock_hz.restype = ctypes.c_uint32
        self.library.chip_remark.restype = ctypes.c_char_p

    def values(self) -> dict[int, int]:
        return {self._addresses[at]: self._values[at] for at in range(self._used.value)}

    def __getitem__(self, address: int) -> int:
        return self.values().get(address, 0)

    def __setitem__(self, address: int, value: int) -> None:
        at = next((at for at in range(self._used.value) if self._addresses[at] == address), self._used.value)
        self._addresses[at] = address
        self._values[at] = value
        self._used.value = max(self._used.value, at + 1)

    def start(self) -> str | None:
        """Starts the clock; None, or what did not come about."""
        answer = self.library.chip_start_clock()
        self._touched()
        return None if answer is None else answer.decode()

    def _touched(self) -> None:
        """Sees what was written since the last access, and lets the chip answer."""
        now = self.values()
        for address, value in now.items():
            if value != self._seen.get(address, 0):
                self.writes.append((address, value))
        register, bits = self.chip.switch
        if now.get(register, 0) & bits == bits and self.at_switch is None:
            self.at_switch = now
        for (control, wanted), (status, given) in self.chip.answers:
            if self[control] & wanted == wanted and (status, given) not in self.broken:
                self[status] = self[status] | given
        self._seen = self.values()


def machine(board: Board, folder: Path) -> Machine:
    """Compiles a board's chip files for this machine."""
    assert board.startup is not None
    family = FAMILIES[board.startup.family]
    templates = resources.files("export").joinpath("templates", "firmware")
    for name in (family.chip, "chip.h", "icache.h", "no_monitors.h", "output.h", "output_uart.c"):
        (folder / name).write_text(templates.joinpath(name).read_text())
    (folder / "board.h").write_text(board_header(board, board.placements[0]))
    (folder / "registers.h").write_text(_HEADER)
    (folder / "cells.c").write_text(_CELLS)
    library = folder / f"{board.name}.so"
    sources = [str(folder / name) for name in (family.chip, "output_uart.c", "cells.c")]
    command = ["cc", "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", *sources]
    subprocess.run([*command, "-o", str(library)], check=True)
    return Machine(board, ctypes.CDLL(str(library)))
