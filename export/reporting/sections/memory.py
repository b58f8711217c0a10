"""The arena while the layers run, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from export.artifact.manifest import Manifest
from export.reporting.format.document import Block, Paragraph, Picture, Section
from export.reporting.format.style import COLORS, new_figure
from export.reporting.format.text import layer_label, memory, printable, size
from export.reporting.sources import Exported
from export.targets import STACK_BYTES
from keras_approx.text import plural


def memory_section(exports: Sequence[Exported]) -> Section:
    """The arena over time, once for all exports that share one."""
    alike: dict[Any, list[Exported]] = {}
    for exported in exports:
        alike.setdefault((exported.manifest.buffers, exported.manifest.arena_bytes), []).append(exported)
    blocks: list[Block] = [
        Paragraph(
            "Activations live in one block of RAM, the arena. Each stays from the layer that writes it to the "
            "last one that reads it; then others take its place. Skipping products changes them only where "
            "all products of a channel are gone. What kernels work in lies there too, while their layer runs. "
            "The caller's input and output arrays and the stack, of which networks take up to 300 bytes, are not "
            "in it."
        )
    ]
    for number, several in enumerate(alike.values()):
        blocks.append(_picture(several, "memory" if number == 0 else f"memory-{number + 1}"))
    return Section("Memory over time", blocks)


def _picture(exports: Sequence[Exported], name: str) -> Picture:
    manifest = exports[0].manifest
    names = ", ".join(printable(exported.name, 24) for exported in exports)
    board = exports[0].board
    room = (
        f" The {board.name} has {memory(board.ram_bytes + STACK_BYTES)} for it and other data."
        if board
        else ""
    )
    fullest = max(range(len(manifest.layers)), key=lambda number: used_bytes(manifest, number), default=0)
    where = (
        f"It is fullest, with {size(used_bytes(manifest, fullest))}, while layer "
        f"{layer_label(fullest, manifest.layers[fullest].kind)} runs."
        if manifest.layers
        else ""
    )
    return Picture(
        name,
        draw_memory(manifest),
        f"The arena of {size(manifest.arena_bytes)} over {plural(len(manifest.layers), 'layer')}. {where}",
        f"Export: {names}. Across: layers in the order in which they run. Up: bytes of the arena, "
        f"{size(manifest.arena_bytes)} in all (dashed). Each box is one activation, borders included, or, "
        "pale, what a layer's kernels work in; the number is that of the layer that writes it. "
        f"{where}{room} A large box over a single layer is the place to save RAM: a smaller image, an earlier "
        "pool, or int8 in place of int16 activations.",
    )


def used_bytes(manifest: Manifest, layer: int) -> int:
    """Bytes of the arena that hold something while a layer runs."""
    return sum(buffer.size for buffer in manifest.buffers if buffer.first_layer <= layer <= buffer.last_layer)


def draw_memory(manifest: Manifest) -> Any:
    """Boxes of buffers: layers across, bytes up."""
    figure, ((axis,),) = new_figure(2.9)
    colors = [COLORS[name] for name in ("blue", "orange", "green", "purple", "sky")]
    for number, buffer in enumerate(manifest.buffers):
        layers = buffer.last_layer - buffer.first_layer + 1
        axis.bar(
            buffer.first_layer - 0.5,
            buffer.size / 1024,
            layers,
            buffer.offset / 1024,
            align="edge",
            color=colors[number % len(colors)],
            edgecolor=COLORS["ink"],
            linewidth=0.6,
            alpha=0.85 if buffer.name is not None else 0.35,
        )
        if buffer.size > 0.06 * manifest.arena_bytes:
            middle = (buffer.first_layer + buffer.last_layer) / 2, (buffer.offset + buffer.size / 2) / 1024
            axis.text(*middle, str(buffer.first_layer), ha="center", va="center", fontsize=8)
    axis.axhline(manifest.arena_bytes / 1024, color=COLORS["ink"], linewidth=1, linestyle=(0, (4, 3)))
    labels = [layer_label(layer.index, layer.kind) for layer in manifest.layers]
    axis.set_xticks(range(len(labels)), labels, rotation=45, ha="right", rotation_mode="anchor")
    axis.set_xlim(-0.6, len(labels) - 0.4)
    axis.set_ylim(0, 1.06 * manifest.arena_bytes / 1024 or 1)
    axis.grid(False, axis="x")
    axis.set_ylabel("arena, KiB")
    return figure
