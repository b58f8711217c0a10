"""The files of a firmware project that depend on the board: its table, its memories, its README."""

from __future__ import annotations

from export.csource.text import comment, comment_text
from export.errors import TargetError
from export.targets import FAMILIES, STACK_BYTES, Bank, Board, Placement, Prefetch, Startup, get_core

_PORT_BYTES = 0x400


def startup_of(board: Board) -> Startup:
    """How firmware starts a board.

    Raises:
        TargetError: Its file does not say how, its PLL gives another clock than the board's, or its core has no DSP
            extension.
    """
    if not get_core(board.core).dsp:
        raise TargetError(
            f"expected a board whose core has the DSP extension, got {board.name} ({board.core}); firmware is for "
            "cortex-m4, cortex-m7 and cortex-m33"
        )
    startup = board.startup
    if startup is None:
        raise TargetError(
            f"{board.name} has no [firmware] table, which says how its chip is started; add one to its file, "
            "see export/targets/board_file.py"
        )
    if startup.clock_hz != board.clock_hz:
        raise TargetError(
            f"{board.name}: expected firmware.pll to give clock_hz, {board.clock_hz:,} Hz, got "
            f"{FAMILIES[startup.family].reset_hz:,} / {startup.m} * {startup.n} / {startup.out} = "
            f"{startup.clock_hz:,.0f} Hz; correct one of them"
        )
    return startup


def board_header(board: Board, placement: Placement) -> str:
    """board.h: all that the C files need to know of the board."""
    startup = startup_of(board)
    family = FAMILIES[startup.family]
    uart = family.uarts[startup.uart]
    port = ord(startup.port) - ord("A")
    code = placement.code
    entries = {
        "BOARD_NAME": f'"{board.name}"',
        "BOARD_CLOCK_HZ": f"{board.clock_hz}u",
        "BOARD_RESET_HZ": f"{family.reset_hz}u",
        f"FAMILY_{startup.family.upper()}": "1",
        "PLL_M": f"{startup.m}u",
        "PLL_N": f"{startup.n}u",
        "PLL_OUT": f"{startup.out}u",
        "FLASH_ACR_ADDRESS": f"{family.flash_acr:#x}u",
        "FLASH_LATENCY": f"{startup.latency}u",
        "FLASH_PREFETCH": f"{int(board.flash.prefetch is not Prefetch.NONE)}u",
        "COPIES_AT_ZERO": str(int(code is not None and code.code_origin == 0 != code.origin)),
        "UART_BASE": f"{uart.base:#x}u",
        "UART_OF_F4": str(int(startup.family == "f4")),
        "UART_CLOCK": f"{uart.clock:#x}u",
        "UART_CLOCK_BIT": f"{uart.bit}u",
        "UART_FINENESS": f"{uart.fineness}u",
        "PIN_PORT": f"{family.ports + port * _PORT_BYTES:#x}u",
        "PIN_CLOCK": f"{family.port_clocks:#x}u",
        "PIN_CLOCK_BIT": f"{port}u",
        "PIN_NUMBER": f"{startup.pin}u",
        "PIN_FUNCTION": f"{startup.function}u",
        "PIN_ON_VDDIO2": str(int(startup.family == "l4" and startup.port == "G")),
    }
    lines = "\n".join(f"#define {name} {value}" for name, value in entries.items())
    head = comment([f"{board.name}: {comment_text(board.source, 100)}."])
    return f"{head}#ifndef BOARD_H\n#define BOARD_H\n\n{lines}\n\n#endif\n"


def memory_script(board: Board, placement: Placement) -> str:
    """memory.ld: where flash, data, copies of kernels and the stack lie."""
    stack, code = placement.stack, placement.code
    regions = {
        "FLASH (rx)": (board.flash.origin, board.flash.size),
        "RAM (rw)": (placement.origin, placement.size),
    }
    if stack in placement.activations:  # its upper end, above all data
        regions["RAM (rw)"] = (placement.origin, stack.origin + stack.size - placement.origin)
    if code is not None:
        regions["COPIES (rwx)"] = (_code_origin(code), code.size)
    lines = [
        f"    {name} : ORIGIN = {origin:#x}, LENGTH = {size}" for name, (origin, size) in regions.items()
    ]
    shift = 0 if code is None else code.origin - _code_origin(code)
    names = " and ".join(bank.name for bank in placement.activations)
    return "\n".join(
        [
            f"/* {board.name}: data in {names}, the stack in {stack.name}, "
            f"kernels that run from RAM in {code.name if code else 'data'}. */",
            "MEMORY",
            "{",
            *lines,
            "}",
            *([] if code else ['REGION_ALIAS("COPIES", RAM)']),
            f"copies_shift = {shift:#x};  /* from where code is fetched to where it is written */",
            f"stack_is_with_data = {int(stack in placement.activations)};",
            f"stack_start = {stack.origin:#x};",
            f"stack_top = {stack.origin + stack.size:#x};",
            f"stack_least = {STACK_BYTES};",
            "",
        ]
    )


def _code_origin(bank: Bank) -> int:
    assert bank.code_origin is not None  # a bank for code has one, see board_file
    return bank.code_origin
