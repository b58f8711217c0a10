"""The table and the bars of layers: what each keeps, its cycles and its bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from export.artifact.manifest import LayerInfo
from export.reporting.choice import Chosen
from export.reporting.format.bars import bars_height, draw_bars
from export.reporting.format.document import Block, Paragraph, Picture, Section, Table
from export.reporting.format.style import SERIES, new_figure
from export.reporting.format.text import count, folded, layer_label, milliseconds, percent, printable, size
from export.reporting.sections.kernels import kernels_used
from export.reporting.sources import Exported

if TYPE_CHECKING:
    from export.training_side import ParetoFront


def layers_section(front: ParetoFront, chosen: Sequence[Chosen], exports: Sequence[Exported]) -> Section:
    """Kept products by layer of the chosen designs; kept products, cycles and flash of the exports."""
    blocks: list[Block] = [
        Paragraph(
            "Layers differ in how much they can lose. The search decides for each layer how much of its "
            "products to keep, the least significant going first. What is left sets the layer's cycles. It need "
            "not set its flash: a layer that keeps nearly everything may run in a short loop, while one that "
            "skips is unpacked into straight code, of which each further product skipped takes some away."
        )
    ]
    shown = chosen[: len(SERIES)]
    if len(shown) > 1:
        blocks.append(_kept_picture(front, shown))
    blocks += export_blocks(exports)
    if not exports:
        blocks.append(Paragraph("No exported folder was given, so cycles and flash by layer are not shown."))
    return Section("Layer by layer", blocks)


def export_blocks(exports: Sequence[Exported]) -> list[Block]:
    """Each export's layers: a picture of all, their figures, and why they have the kernels that they have."""
    if not exports:
        return []
    return [_costs_picture(exports), *(_table(exported) for exported in exports), *kernels_used(exports)]


def _kept_picture(front: ParetoFront, chosen: Sequence[Chosen]) -> Picture:
    names = list(front.exact.kept_by_layer)
    designs = [one for one in chosen if one.record.id != front.exact.id]
    figure, ((axis,),) = new_figure(bars_height(len(names), len(designs)))
    draw_bars(
        axis,
        [folded(name) for name in names],
        {one.label: [100 * one.record.kept_by_layer[name] for name in names] for one in designs},
    )
    axis.set_xlim(0, 112)  # room for the figures
    axis.set_xlabel("products kept, %")
    shows = "; ".join(
        f"{one.label}: "
        + ", ".join(f"{printable(n)} {percent(one.record.kept_by_layer[n], 0)}" for n in names)
        for one in designs
    )
    return Picture(
        "kept",
        figure,
        f"Bars of products kept by layer. {shows}.",
        "Products that each layer keeps, in percent of all its products, for the designs of the table above. "
        "Short bars are layers that can do without most of their products; the exact model would fill the "
        "width.",
    )


def _costs_picture(exports: Sequence[Exported]) -> Picture:
    exports = exports[: len(SERIES)]
    rows = _rows(exports)
    named = {
        (layer.index, layer.kind): layer.name for exported in exports for layer in exported.manifest.layers
    }
    labels = [folded(f"{layer_label(*row)} {named[row]}") for row in rows]
    height = bars_height(len(rows), len(exports))
    figure, axes = new_figure(3 * height, 3)

    def values(what: Any) -> dict[str, list[float | None]]:
        found = {}
        for exported in exports:
            layers = {(layer.index, layer.kind): layer for layer in exported.manifest.layers}
            found[printable(exported.name, 24)] = [
                what(exported, layers[row]) if row in layers else None for row in rows
            ]
        return found

    panels = (
        ("products kept, thousands", lambda _, layer: layer.kept_macs / 1e3),
        ("cycles, thousands", lambda exported, layer: _thousands(exported.cycles(layer))),
        ("flash, KiB", lambda _, layer: _kibi(layer.predicted_flash_bytes)),
    )
    for (axis,), (title, what) in zip(axes, panels, strict=True):
        draw_bars(axis, labels, values(what))
        axis.set_xlabel(title)
    measured = [exported.name for exported in exports if exported.measured is not None]
    source = f"measured by simulation for {', '.join(map(printable, measured))}" if measured else "predicted"
    return Picture(
        "layers",
        figure,
        "Three panels of bars by layer: products kept, cycles and flash; the table below has the figures.",
        "Exported designs, layer by layer in the order in which they run: multiplications that are kept, "
        f"cycles ({source if len(measured) in (0, len(exports)) else source + ', otherwise predicted'}) and "
        "flash of code and constants (predicted). A pool behind a convolution is a part of its layer, and "
        "channels that nothing reads any more are gone. Look for layers that take many cycles for few "
        "products: that is work other than multiplying.",
    )


def _rows(exports: Sequence[Exported]) -> list[tuple[int, str]]:
    """Layers of all exports, each once, in order."""
    return sorted({(layer.index, layer.kind) for exported in exports for layer in exported.manifest.layers})


def _thousands(number: int | None) -> float | None:
    return None if number is None else number / 1e3


def _kibi(number: int | None) -> float | None:
    return None if number is None else number / 1024


def _table(exported: Exported) -> Table:
    head = ("layer", "name", "kernel", "products", "kept", "cycles", "time", "flash")
    caption = f"{printable(exported.name, 24)} on {exported.target}"
    rows = [_row(exported, layer) for layer in exported.manifest.layers]
    layers = exported.manifest.layers
    macs, kept = sum(layer.macs for layer in layers), sum(layer.kept_macs for layer in layers)
    share = percent(kept / macs) if macs else ""
    total = time = ""
    if exported.priced:
        unknown = any(exported.cycles(layer) is None for layer in layers)
        total = f"{count(exported.total_cycles)}{' without layers of unknown cycles' if unknown else ''}"
        time = milliseconds(exported.board, exported.total_cycles)
    rows.append(("all layers", "", "", count(macs), share, total, time, exported.flash))
    return Table(head, rows, left=3, caption=caption)


def _row(exported: Exported, layer: LayerInfo) -> tuple[str, ...]:
    cycles = exported.cycles(layer)
    return (
        layer_label(layer.index, layer.kind),
        printable(layer.name),
        printable(layer.kernel, 16),
        count(layer.macs) if layer.macs else "",
        percent(layer.kept_macs / layer.macs) if layer.macs else "",
        "" if cycles is None else count(cycles),
        "" if cycles is None else milliseconds(exported.board, cycles),
        "" if layer.predicted_flash_bytes is None else size(layer.predicted_flash_bytes),
    )
