"""All files of an export, as a mapping from file name to text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from export.codegen.header import emit_header
from export.codegen.model import emit_model
from export.codegen.planned import emit_planned
from export.codegen.runtime import runtime_header
from export.csource.source import Context
from export.csource.text import comment, comment_text
from export.operators.movement.reshape import emit_copy
from export.operators.table import operator_of
from export.schedule.estimate import Estimate, LayerEstimate
from export.schedule.stage import Schedule, Stage
from export.schedule.stage_work import context_of


@dataclass(frozen=True)
class Project:
    """The C of a network: texts by file name; which of them are compiled, in layer order, and which are headers.

    A layer's file is named after the prefix of its symbols.
    """

    files: dict[str, str]
    sources: tuple[str, ...]
    headers: tuple[str, ...]


def emit_project(
    schedule: Schedule, estimate: Estimate, name: str, class_names: Sequence[str] = ()
) -> Project:
    """Writes every C file of a scheduled network.

    Args:
        schedule: The network.
        estimate: Its prediction, for the comments.
        name: Prefix of files and symbols, a valid C identifier.
        class_names: What each output stands for, if known.

    Returns:
        File texts by name, in layer order.
    """
    digits = max(2, len(str(len(schedule.stages) - 1)))
    contexts = [
        context_of(schedule.graph, stage, f"{name}_{index:0{digits}d}_{stage.kind}")
        for index, stage in enumerate(schedule.stages)
    ]
    runtime = f"{name}_runtime.h"
    layer_names = [comment_text(layer.name) for layer in estimate.layers]
    files = {
        f"{name}.h": emit_header(schedule, name, class_names),
        f"{name}.c": emit_model(schedule, name, contexts, layer_names, class_names),
    }
    layer_sources = tuple(f"{context.symbol}.c" for context in contexts)
    for source, context, layer, stage in zip(
        layer_sources, contexts, estimate.layers, schedule.stages, strict=True
    ):
        head = comment(_describe(layer, stage, estimate.target.core.name))
        include = f'#include "{runtime}"\n\n'
        files[source] = f"{head}{include}KA_C {context.signature};\n\n{_emit(context, stage)}"
    files[runtime] = runtime_header()
    sources = (f"{name}.c", *layer_sources)
    return Project(files, sources, (f"{name}.h", runtime))


def _emit(context: Context, stage: Stage) -> str:
    """Tables, kernels, and the layer function."""
    if stage.plan is not None:
        return emit_planned(context, stage.plan)
    emitter = emit_copy if context.op is None else operator_of(context.op).emit
    assert emitter is not None  # what has no plain C is always planned
    return emitter(context)


def _describe(layer: LayerEstimate, stage: Stage, core: str) -> list[str]:
    """What was done and why, for whoever reads the file."""
    lines = [f"Layer {layer.index}: {layer.kind} {comment_text(layer.name)}".rstrip()]
    for verb, buffers in (("reads", stage.reads), ("writes", (stage.writes,))):
        for buffer in buffers:
            layout = buffer.layout
            lines.append(
                f"{verb} {layout.height} x {layout.width} x {layout.channels} {layout.element}, pixel {layout.pixel}, "
                f"row {layout.row} elements, {buffer.place}"
            )
    if stage.pool is not None:
        lines.append("2 x 2 max pool fused, taken on accumulators")
    if stage.add is not None:
        lines.append("residual Add fused: each value is added to what lies where it is written")
    if layer.macs:
        kept = 100 * layer.kept_macs / layer.macs
        lines.append(f"{layer.kept_macs} of {layer.macs} products kept ({kept:.1f} %)")
    lines.append(f"kernels: {layer.kernel}")
    if layer.cycles is not None:
        lines.append(f"predicted: {layer.cycles} cycles on {core}, {layer.flash_bytes} bytes of flash")
    if layer.copied_bytes:
        lines.append(f"{layer.copied_bytes} bytes of code run as copies from RAM")
    return lines
