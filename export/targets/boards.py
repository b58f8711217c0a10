"""The boards a network can be measured for and must fit, as data. Each figure's document is in `source`."""

from __future__ import annotations

from dataclasses import dataclass

from export.errors import TargetError

KIB = 1024


@dataclass(frozen=True)
class InstructionCache:
    """The cache between the core and its flash; least recently used lines are replaced.

    Attributes:
        size: Bytes.
        ways: Lines a set; `size // line` for a fully associative cache.
        line: Bytes a line.
        literals: Whether constants read from flash by the program pass through it too.
    """

    size: int
    ways: int
    line: int
    literals: bool


@dataclass(frozen=True)
class Board:
    """A microcontroller on its board.

    Attributes:
        name: As users write it.
        core: Name of its core.
        clock_hz: Highest core clock.
        flash_bytes: Size of the flash.
        ram_bytes: Size of the largest contiguous SRAM, which holds arena, stack and data.
        wait_states: Cycles a flash access waits at that clock.
        cache: The instruction cache, or None where its working is not documented well enough to be modelled.
        source: Documents the figures come from.
    """

    name: str
    core: str
    clock_hz: int
    flash_bytes: int
    ram_bytes: int
    wait_states: int
    cache: InstructionCache | None
    source: str


BOARDS: dict[str, Board] = {
    board.name: board
    for board in (
        Board(
            name="nucleo-u575zi-q",
            core="cortex-m33",
            clock_hz=160_000_000,  # DS13737, general operating conditions, range 1
            flash_bytes=2048 * KIB,  # DS13737, features
            ram_bytes=768 * KIB,  # SRAM1 to SRAM3, contiguous from 0x20000000: RM0456, memory map
            wait_states=4,  # RM0456, flash: wait states for range 1 at 160 MHz
            # RM0456, ICACHE main features: 8 Kbytes, 2 ways, 128-bit lines, on the C-AHB bus: literals pass
            # too
            cache=InstructionCache(size=8 * KIB, ways=2, line=16, literals=True),
            source="ST DS13737 (STM32U575xx), RM0456 (STM32U5), UM2861 (NUCLEO-U575ZI-Q)",
        ),
        Board(
            name="stm32f405",
            core="cortex-m4",
            clock_hz=168_000_000,  # DS8626, features
            flash_bytes=1024 * KIB,  # DS8626, STM32F405xG
            ram_bytes=128 * KIB,  # SRAM1 and SRAM2, contiguous; 64 KiB of CCM beside them: RM0090, memory map
            wait_states=5,  # RM0090, number of wait states at 2.7 to 3.6 V and 168 MHz
            # RM0090, ART accelerator: 64 lines of 128 bits, LRU; constants have 8 lines of their own, not
            # modelled
            cache=InstructionCache(size=1 * KIB, ways=64, line=16, literals=False),
            source="ST DS8626 (STM32F405xx), RM0090 (STM32F4)",
        ),
        Board(
            name="nucleo-f446re",
            core="cortex-m4",
            clock_hz=180_000_000,  # DS10693, features
            flash_bytes=512 * KIB,  # DS10693, features
            ram_bytes=128 * KIB,  # DS10693, features
            wait_states=5,  # RM0390, number of wait states at 2.7 to 3.6 V and 180 MHz
            cache=InstructionCache(size=1 * KIB, ways=64, line=16, literals=False),  # RM0390, ART accelerator
            source="ST DS10693 (STM32F446xC/E), RM0390 (STM32F446)",
        ),
        Board(
            name="nucleo-l4r5zi",
            core="cortex-m4",
            clock_hz=120_000_000,  # DS12023, features
            flash_bytes=2048 * KIB,  # DS12023, features
            ram_bytes=640 * KIB,  # SRAM1 to SRAM3, contiguous from 0x20000000: RM0432, memory map
            wait_states=5,  # RM0432, number of wait states in range 1 boost at 120 MHz
            cache=None,  # RM0432 gives 1 Kbyte, but lines whose width depends on the bank mode
            source="ST DS12023 (STM32L4R5xx), RM0432 (STM32L4+)",
        ),
        Board(
            name="nucleo-h743zi",
            core="cortex-m7",
            clock_hz=480_000_000,  # DS12110, revision V
            flash_bytes=2048 * KIB,  # DS12110, features
            ram_bytes=512 * KIB,  # AXI SRAM, the largest contiguous one: RM0433, memory map
            wait_states=4,  # RM0433, flash at VOS0 and an AXI clock of 240 MHz
            # The cache (16 Kbytes, 2 ways, 32-byte lines: DDI0489) fills while the core runs ahead, and the
            # AXI clock is half the core's: cycles of a miss cannot be told from the documents.
            cache=None,
            source="ST DS12110 (STM32H743xI), RM0433 (STM32H743), Arm DDI0489 (Cortex-M7)",
        ),
    )
}


def get_board(name: str) -> Board:
    """Returns a board by name.

    Raises:
        TargetError: No board has that name.
    """
    try:
        return BOARDS[name]
    except KeyError:
        raise TargetError(f"unknown board {name!r}; known boards: {', '.join(sorted(BOARDS))}") from None
