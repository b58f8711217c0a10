"""Cores and boards as data, and the timing model that prices their instructions."""

from __future__ import annotations

from export.targets.board import BOARDS, Board, get_board, read_board
from export.targets.cores import CORES, Core, get_core
from export.targets.families import FAMILIES, Family, Startup, Uart
from export.targets.instruction import Instruction, Kind, Memory
from export.targets.memories import (
    STACK_BYTES,
    Bank,
    Cache,
    Flash,
    Placement,
    Prefetch,
    Reading,
    Span,
)
from export.targets.pipeline import (
    READY,
    State,
    arrival_cycles,
    block_cycles,
    continue_cycles,
    entered,
    issue_cycles,
)
from export.targets.target import Target, placed_timing, resolve
from export.targets.timing import Timing

__all__ = [
    "BOARDS",
    "CORES",
    "FAMILIES",
    "READY",
    "STACK_BYTES",
    "Bank",
    "Board",
    "Cache",
    "Core",
    "Family",
    "Flash",
    "Instruction",
    "Kind",
    "Memory",
    "Placement",
    "Prefetch",
    "Reading",
    "Span",
    "Startup",
    "State",
    "Target",
    "Timing",
    "Uart",
    "arrival_cycles",
    "block_cycles",
    "continue_cycles",
    "entered",
    "get_board",
    "get_core",
    "issue_cycles",
    "placed_timing",
    "read_board",
    "resolve",
]
