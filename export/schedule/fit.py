"""Whether a network fits its board, before anything is written."""

from __future__ import annotations

from collections.abc import Iterable

from export.errors import TargetError
from export.ir.graph import Graph
from export.schedule.estimate import Estimate
from export.schedule.network import Requirements, least_data_bytes
from export.schedule.stage import Schedule
from export.targets import BOARDS, Board

_SHOWN = 3  # layers named in a message


def check_limit(graph: Graph, requirements: Requirements) -> None:
    """Makes sure, before kernels are priced, that `max_ram` leaves room for the activations.

    Args:
        graph: The network, behind its passes.
        requirements: With the limit, if there is one.

    Raises:
        TargetError: No choice of kernels can keep to it.
    """
    limit = requirements.max_ram
    if limit is not None and (least := least_data_bytes(graph, requirements)) > limit:
        raise TargetError(
            f"the network's activations alone take {least:,} bytes of RAM, and max_ram is {limit:,}; raise it, or make "
            "the network narrower"
        )


def check_fit(schedule: Schedule, estimate: Estimate, max_ram: int | None = None) -> None:
    """Makes sure a network's code, constants and activations fit the target's board.

    The firmware around the network (stack, the caller's arrays, drivers) comes on top and is not known here.

    Args:
        schedule: The network.
        estimate: Its prediction.
        max_ram: Bytes that arena and states may take, or None for what the board has.

    Raises:
        TargetError: Flash or RAM is too small: by how much, because of which layers, and what would help.
    """
    check_ram(estimate, max_ram)
    board = estimate.target.board
    if board is None:
        return
    problems = []
    flash = estimate.flash_bytes or 0  # unknown on cores without prices: only the linker can tell
    if flash > board.flash_bytes:
        problems.append(_flash_problem(estimate, flash, board))
    if not board.holds(schedule.data_bytes):
        problems.append(_ram_problem(schedule, estimate, board))
    if problems:
        raise TargetError(
            f"the network does not fit {board.name} ({board.core}). {' '.join(problems)} {_roomier(estimate)}"
        )


def check_ram(estimate: Estimate, max_ram: int | None) -> None:
    """Raises TargetError if a network takes more RAM than it may."""
    if max_ram is not None and estimate.ram_bytes > max_ram:
        raise TargetError(
            f"the network takes {estimate.ram_bytes:,} bytes of RAM at the least, {estimate.scratch_bytes:,} of them "
            f"scratch memory, and max_ram is {max_ram:,}; raise it, or make the network narrower"
        )


def _flash_problem(estimate: Estimate, needed: int, board: Board) -> str:
    largest = sorted(estimate.layers, key=lambda layer: -(layer.flash_bytes or 0))[:_SHOWN]
    named = _listed((layer.index, layer.kind, layer.name, layer.flash_bytes or 0) for layer in largest)
    return (
        f"Flash: {needed:,} bytes needed, {board.flash_bytes:,} there, "
        f"{needed - board.flash_bytes:,} too many; most in {named}. "
        "Keep fewer products of these layers, or make them narrower."
    )


def _ram_problem(schedule: Schedule, estimate: Estimate, board: Board) -> str:
    """Layers whose own buffers reach highest are those in which the arena is fullest."""
    tops = [
        max(
            (
                buffer.offset + buffer.layout.size_bytes
                for buffer in (*stage.reads, stage.writes)
                if buffer.place == "arena"
            ),
            default=0,
        )
        for stage in schedule.stages
    ]
    highest = sorted(estimate.layers, key=lambda layer: -tops[layer.index])[:_SHOWN]
    named = _listed(
        (layer.index, layer.kind, layer.name, tops[layer.index])
        for layer in highest
        if tops[layer.index] > board.ram_bytes
    )
    wide = any(stage.writes.layout.element == "int16" for stage in schedule.stages)
    advice = "Try activations='int8'" if wide else "Take smaller images"
    kept = f" and {schedule.state_bytes:,} of states" if schedule.state_bytes else ""
    banks = "; ".join(
        f"{placement.data_bytes:,} in {' and '.join(bank.name for bank in placement.activations)}"
        for placement in board.placements
    )
    return (
        f"RAM: {estimate.arena_bytes:,} bytes of activations{kept}; there are {banks}, "
        f"{schedule.data_bytes - board.ram_bytes:,} too many; most in {named}. "
        f"{advice}, or a larger stride or a pool before these layers."
    )


def _listed(layers: Iterable[tuple[int, str, str, int]]) -> str:
    return ", ".join(
        f"layer {index} ({kind} {name[:60]!r}, {size:,} bytes)" for index, kind, name, size in layers
    )


def _roomier(estimate: Estimate) -> str:
    boards = [
        board.name
        for board in BOARDS.values()
        if board.flash_bytes >= (estimate.flash_bytes or 0) and board.ram_bytes >= estimate.ram_bytes
    ]
    if boards:
        return f"Or choose another board with target=: {', '.join(boards)}."
    return "No known board is large enough."
