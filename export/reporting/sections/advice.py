"""Advice: which layers take the most time, and what would reduce it."""

from __future__ import annotations

from collections.abc import Sequence

from export.artifact.manifest import LayerInfo
from export.reporting.format.document import Block, Paragraph, Section, Table
from export.reporting.format.text import count, layer_label, milliseconds, percent, printable
from export.reporting.sections.kernels import kernel_family
from export.reporting.sources import Exported

_SHOWN = 8  # layers
_SMALL = 0.02  # of all cycles: nothing done there is felt
_FAR = 2.0  # times the limit: most of the cycles do not multiply
_DENSE = 0.9  # of the products kept: nearly all
_SKIPPING = ("conv2d", "fully_connected")  # kinds of layers whose products can be skipped
_WAITS = 0.1  # of the cycles: flash that is slow


def advice_section(exports: Sequence[Exported]) -> Section:
    """A table for each export: its most expensive layers, and what can be tried."""
    blocks: list[Block] = [
        Paragraph(
            "The layers that take most, the slowest first. What can be tried is a rule of thumb for such a layer, "
            "not a prediction: estimate it before you train for it."
        )
    ]
    return Section("What would make it faster", [*blocks, *map(_table, exports)])


def _table(exported: Exported) -> Table:
    known = [
        (cycles, layer)
        for layer in exported.manifest.layers
        if (cycles := exported.cycles(layer)) is not None
    ]
    slowest = sorted(known, key=lambda pair: (-pair[0], pair[1].index))[:_SHOWN]
    total = sum(cycles for cycles, _ in known)
    rows = [
        (
            layer_label(layer.index, layer.kind),
            printable(layer.name),
            "; ".join(suggestions(layer, cycles)) if cycles >= _SMALL * total else "",
            count(cycles),
            milliseconds(exported.board, cycles),
            percent(cycles / total),
        )
        for cycles, layer in slowest
        if total
    ]
    head = ("layer", "name", "what to try", "cycles", "time", "share")
    caption = f"{printable(exported.name, 24)} on {exported.target}"
    return Table(head, rows, left=3, caption=caption)


def suggestions(layer: LayerInfo, cycles: int) -> list[str]:
    """What can be tried for a layer, the most promising first."""
    found = []
    family = kernel_family(layer.kernel)
    if family == "plain":
        found.append("an operator or shape that has a kernel (docs/operators.md lists them)")
    skips = layer.macs and layer.kind in _SKIPPING
    if skips and layer.kept_macs >= _DENSE * layer.macs:
        found.append("skip products: keras_approx.eliminate or explore; cycles follow what is kept")
    elif skips and family in ("loop", "bytes", "winograd"):
        found.append("skip whole pairs of input channels: single zeros save nothing in this kernel")
    if (
        family in ("loop", "bytes", "unpacked")
        and layer.roofline_cycles
        and cycles > _FAR * layer.roofline_cycles
    ):
        found.append(
            "more channels at a smaller size: most of its cycles load and round, they do not multiply"
        )
    waits = layer.predicted_board_cycles
    if layer.predicted_cycles and waits is not None and waits[0] > (1 + _WAITS) * layer.predicted_cycles:
        found.append(
            "smaller code: it waits for flash; skip more, or let the kernel run from RAM where the board can"
        )
    if layer.kind == "copy":
        found.append("int8 activations, which need fewer copies")
    return found
