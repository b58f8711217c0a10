"""Families of STM32 chips for the firmware: registers that enable clocks, choose pins and send text.

Addresses: ST's device headers; clocks after reset: the reference manuals named in `chip_<family>.c` of the firmware.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Uart:
    """A UART.

    Attributes:
        base: Address of its registers.
        clock: Address of the register that enables its clock.
        bit: Which bit of it.
        fineness: Divisions of its clock in a step of its divider: 256 for low-power UARTs.
    """

    base: int
    clock: int
    bit: int
    fineness: int = 1


@dataclass(frozen=True)
class Family:
    """Chips that share their start-up code.

    Attributes:
        chip: The C file that starts them.
        reset_hz: Core clock after reset, which feeds the PLL.
        flash_acr: Address of the register of wait states and prefetch.
        ports: Address of port A's registers; the others follow, 1 KiB apart.
        port_clocks: Address of the register that enables the ports' clocks, port A's in bit 0.
        uarts: By name.
        outs: What the PLL's last divider can be.
    """

    chip: str
    reset_hz: int
    flash_acr: int
    ports: int
    port_clocks: int
    uarts: Mapping[str, Uart]
    outs: tuple[int, ...]


def _g4_l4(reset_hz: int) -> Family:
    """Chips that differ in the clock they wake with."""
    return Family(
        "chip_g4_l4.c",
        reset_hz,
        0x40022000,
        0x48000000,
        0x4002104C,
        {
            "USART2": Uart(0x40004400, 0x40021058, 17),
            "LPUART1": Uart(0x40008000, 0x4002105C, 0, 256),
        },
        (2, 4, 6, 8),
    )


FAMILIES: Mapping[str, Family] = {
    "f4": Family(
        "chip_f4.c",
        16_000_000,
        0x40023C00,
        0x40020000,
        0x40023830,
        {
            "USART1": Uart(0x40011000, 0x40023844, 4),
            "USART2": Uart(0x40004400, 0x40023840, 17),
            "USART3": Uart(0x40004800, 0x40023840, 18),
        },
        (2, 4, 6, 8),
    ),
    "g4": _g4_l4(16_000_000),
    "l4": _g4_l4(4_000_000),
    "u5": Family(
        "chip_u5.c",
        4_000_000,
        0x40022000,
        0x42020000,
        0x46020C8C,
        {"USART1": Uart(0x40013800, 0x46020CA4, 14)},
        (1, 2, 4, 6, 8),
    ),
    "h5": Family(
        "chip_h5.c",
        32_000_000,
        0x40022000,
        0x42020000,
        0x44020C8C,
        {"USART3": Uart(0x40004800, 0x44020C9C, 18)},
        (2, 4, 6, 8),
    ),
    "h7": Family(
        "chip_h7.c",
        64_000_000,
        0x52002000,
        0x58020000,
        0x580244E0,
        {"USART3": Uart(0x40004800, 0x580244E8, 18)},
        (2, 4, 6, 8),
    ),
}


@dataclass(frozen=True)
class Startup:
    """How firmware starts a board.

    Attributes:
        family: Of its chip: a key of `FAMILIES`.
        m: What the PLL divides its input by.
        n: What it multiplies that by.
        out: What it divides that by.
        latency: Wait states as the flash controller counts them.
        uart: Through which text goes.
        port: Letter of the port of its pin.
        pin: The pin.
        function: The pin's alternate function.
    """

    family: str
    m: int
    n: int
    out: int
    latency: int
    uart: str
    port: str
    pin: int
    function: int

    @property
    def clock_hz(self) -> float:
        """The core clock that the PLL gives."""
        return FAMILIES[self.family].reset_hz * self.n / self.m / self.out
