"""One export: the cycles, flash and RAM that it takes of its board."""

from __future__ import annotations

from collections.abc import Sequence

from export.reporting.format.document import Block, Paragraph, Table
from export.reporting.format.text import count, memory, milliseconds, percent, printable, size
from export.reporting.sources import Exported
from export.targets import STACK_BYTES
from keras_approx.text import plural


def network_summary(exports: Sequence[Exported]) -> list[Block]:
    """Sentences about each export, and a table of them against their boards' limits."""
    rows = [_row(exported) for exported in exports]
    head = ("export", "target", "cycles", "time", "flash", "of", "arena", "of")
    return [*(Paragraph(_sentence(exported)) for exported in exports), Table(head, rows, left=2)]


def _sentence(exported: Exported) -> str:
    manifest = exported.manifest
    layers = [layer for layer in manifest.layers if exported.cycles(layer) is not None]
    macs, kept = (
        sum(layer.macs for layer in manifest.layers),
        sum(layer.kept_macs for layer in manifest.layers),
    )
    source = "predicted" if exported.measured is None else "measured by simulation"
    parts = [f"{printable(exported.name, 24)} is a network of {plural(len(manifest.layers), 'layer')}"]
    if macs:
        parts[0] += f" that keeps {percent(kept / macs, 0)} of all its {count(macs)} products"
    if not layers:
        return f"{parts[0]}. Its cycles are not known: {exported.target} has no prices."
    time = milliseconds(exported.board, exported.total_cycles)
    clock = (
        f", {time} at {exported.board.clock_hz / 1e6:g} MHz with memories that never wait"
        if exported.board
        else ""
    )
    parts.append(f"One inference takes {count(exported.total_cycles)} cycles ({source}){clock}")
    slowest = max(layers, key=lambda layer: exported.cycles(layer) or 0)
    share = (exported.cycles(slowest) or 0) / exported.total_cycles if exported.total_cycles else 0.0
    parts.append(
        f"Layer {slowest.index} ({slowest.kind.replace('_', ' ')}) takes {percent(share, 0)} of that"
    )
    if (waiting := exported.board_milliseconds) is not None:
        parts.append(f"With what its flash makes it wait it takes {waiting}")
    return ". ".join(parts) + "."


def _row(exported: Exported) -> tuple[str, ...]:
    board, manifest = exported.board, exported.manifest
    return (
        printable(exported.name, 24),
        exported.target,
        count(exported.total_cycles) if exported.priced else "",
        milliseconds(board, exported.total_cycles) if exported.priced else "",
        exported.flash,
        memory(board.flash_bytes) if board else "",
        size(manifest.arena_bytes + manifest.state_bytes),
        memory(board.ram_bytes + STACK_BYTES) if board else "",
    )
