"""Cycles against the least that the core could take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from export.reporting.format.bars import bars_height, draw_bars
from export.reporting.format.document import Block, Paragraph, Picture, Section, Table
from export.reporting.format.style import COLORS, new_figure
from export.reporting.format.text import count, folded, layer_label, printable
from export.reporting.sources import Exported


def limit_section(exports: Sequence[Exported]) -> Section:
    """A picture for each export with a limit, and a table of all."""
    limited = [exported for exported in exports if any(_limits(exported))]
    if not limited:
        return Section(
            "Against the core's limit",
            [
                Paragraph(
                    "These cores have no dual multiply-accumulate instruction, so no limit is known for them."
                )
            ],
        )
    blocks: list[Block] = [
        Paragraph(
            "The core can do two multiplications a cycle at most, with the instruction SMLAD. So a layer that "
            "keeps n pairs of products cannot take fewer than n cycles; loading inputs and weights, rounding "
            "results and counting loops come on top. A pair of which one product is skipped still takes its "
            "cycle. A Winograd kernel multiplies less than that; its limit is what it multiplies."
        )
    ]
    for number, exported in enumerate(limited):
        blocks.append(_picture(exported, "limit" if number == 0 else f"limit-{number + 1}"))
    return Section("Against the core's limit", [*blocks, _table(limited)])


def _limits(exported: Exported) -> list[int | None]:
    return [layer.roofline_cycles for layer in exported.manifest.layers]


def _picture(exported: Exported, name: str) -> Picture:
    layers = [layer for layer in exported.manifest.layers if layer.roofline_cycles]
    source = "predicted" if exported.measured is None else "measured by simulation"
    ratios = [
        f"{layer_label(layer.index, layer.kind)} {cycles / layer.roofline_cycles:.2f} times its limit"
        for layer in layers
        if layer.roofline_cycles and (cycles := exported.cycles(layer)) is not None
    ]
    return Picture(
        name,
        draw_limit(exported),
        f"Bars of cycles by layer with a mark at the limit. {', '.join(ratios)}.",
        f"Export: {printable(exported.name, 24)} on {exported.target}. Bars: cycles of each layer that "
        f"multiplies ({source}). Marks: its limit, one cycle for each pair that it multiplies. The number is how "
        "many times the limit the layer takes: 1.00 would be a core that does nothing but multiply. Layers "
        "with few products kept for each input they load, such as the first, lie furthest from it.",
    )


def draw_limit(exported: Exported) -> Any:
    """Bars with marks."""
    layers = [layer for layer in exported.manifest.layers if layer.roofline_cycles]
    figure, ((axis,),) = new_figure(bars_height(len(layers), 1) + 0.5)
    cycles = [exported.cycles(layer) for layer in layers]
    draw_bars(
        axis,
        [folded(f"{layer_label(layer.index, layer.kind)} {layer.name}") for layer in layers],
        {"cycles": [None if number is None else number / 1e3 for number in cycles]},
        marked=False,
    )
    for place, (layer, number) in enumerate(zip(layers, cycles, strict=True)):
        assert layer.roofline_cycles
        limit = layer.roofline_cycles / 1e3
        axis.plot(
            [limit, limit],
            [place - 0.46, place + 0.46],
            color=COLORS["ink"],
            linewidth=2.2,
            label="limit: one SMLAD a cycle" if place == 0 else None,
        )
        if number is not None:
            axis.annotate(
                f"{number / layer.roofline_cycles:.2f}",
                (max(number / 1e3, limit), place),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
            )
    axis.margins(x=0.12)
    axis.set_xlim(left=0)
    axis.set_xlabel("cycles, thousands")
    figure.legend(loc="outside upper left", ncols=2)
    return figure


def _table(exports: Sequence[Exported]) -> Table:
    head = ("export", "cycles", "limit", "times the limit", "kept products a cycle", "all products a cycle")
    rows = []
    for exported in exports:
        layers = exported.manifest.layers
        cycles, limit = exported.total_cycles, sum(layer.roofline_cycles or 0 for layer in layers)
        kept, macs = sum(layer.kept_macs for layer in layers), sum(layer.macs for layer in layers)
        rates = [f"{number / cycles:.2f}" if cycles else "" for number in (kept, macs)]
        ratio = f"{cycles / limit:.2f}" if limit else ""
        rows.append((printable(exported.name, 24), count(cycles), count(limit), ratio, *rates))
    return Table(head, rows)
