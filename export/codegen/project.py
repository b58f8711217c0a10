"""All files of an export, as a mapping from file name to text."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

import numpy as np

from ..ir.graph import Graph
from ..ir.ops import Conv2D, DepthwiseConv2D, FullyConnected, Op
from ..schedule.stage import Schedule, Stage
from .model import emit_cmake, emit_header, emit_model
from .ops import emit
from .source import Context
from .text import comment, printable


@dataclass(frozen=True)
class LayerRecord:
    """What the manifest says of a layer.

    Attributes:
        index: place in the execution order.
        kind: kind of the stage.
        name: the layer's output tensor as the model's author named it; untrusted.
        source: file name.
        symbol: prefix of the layer's functions and tables.
        kernel: "unpacked", "loop" or "plain".
        macs: products of the dense layer.
        kept_macs: products whose weight is not zero.
    """

    index: int
    kind: str
    name: str
    source: str
    symbol: str
    kernel: str
    macs: int
    kept_macs: int


@dataclass(frozen=True)
class Project:
    """The text files of an export and what is in them."""

    files: dict[str, str]
    sources: tuple[str, ...]
    headers: tuple[str, ...]
    layers: tuple[LayerRecord, ...]


def emit_project(schedule: Schedule, name: str) -> Project:
    """Writes every C file of a scheduled network.

    Args:
        schedule: the network.
        name: prefix of files and symbols, a valid C identifier.

    Returns:
        File texts by name, in layer order.
    """
    digits = max(2, len(str(len(schedule.stages) - 1)))
    contexts = [
        Context(schedule.graph, stage, f"{name}_{index:0{digits}d}_{stage.kind}")
        for index, stage in enumerate(schedule.stages)
    ]
    runtime = f"{name}_runtime.h"
    records = [_record(schedule.graph, context, index) for index, context in enumerate(contexts)]
    files = {f"{name}.h": emit_header(schedule, name), f"{name}.c": emit_model(schedule, name, contexts)}
    for context, record in zip(contexts, records, strict=True):
        head = comment(_describe(schedule.graph, record, context.stage))
        include = f'#include "{runtime}"\n\n'
        files[record.source] = f"{head}{include}{context.signature};\n\n{emit(context)}"
    files[runtime] = resources.files("export").joinpath("templates/runtime.h").read_text(encoding="utf-8")
    sources = (f"{name}.c", *(record.source for record in records))
    files["CMakeLists.txt"] = emit_cmake(name, sources)
    return Project(files, sources, (f"{name}.h", runtime), tuple(records))


def _record(graph: Graph, context: Context, index: int) -> LayerRecord:
    stage = context.stage
    macs, kept = _count_products(graph, stage.op)
    return LayerRecord(
        index=index,
        kind=stage.kind,
        name=graph.tensors[stage.writes.tensor].name,
        source=f"{context.symbol}.c",
        symbol=context.symbol,
        kernel=stage.plan.variant if stage.plan is not None else "plain",
        macs=macs,
        kept_macs=kept,
    )


def _count_products(graph: Graph, op: Op | None) -> tuple[int, int]:
    """Products of a layer, and those whose weight is not zero, at all output positions."""
    if not isinstance(op, Conv2D | DepthwiseConv2D | FullyConnected):
        return 0, 0
    weights = np.asarray(graph.tensors[op.weights].data)
    shape = graph.tensors[op.output].shape
    positions = 1 if isinstance(op, FullyConnected) else shape[1] * shape[2]
    return weights.size * positions, int(np.count_nonzero(weights)) * positions


def _describe(graph: Graph, record: LayerRecord, stage: Stage) -> list[str]:
    lines = [f"Layer {record.index}: {record.kind}, writes {printable(record.name)}"]
    for buffer in (*stage.reads, stage.writes):
        layout = buffer.layout
        verb = "writes" if buffer is stage.writes else "reads"
        lines.append(
            f"{verb} {layout.height} x {layout.width} x {layout.channels} {layout.element}, pixel {layout.pixel}, "
            f"row {layout.row} elements, {buffer.place}"
        )
    if stage.pool is not None:
        lines.append("2 x 2 max pool fused")
    if record.macs:
        kept = 100 * record.kept_macs / record.macs
        lines.append(
            f"{record.kept_macs} of {record.macs} products kept ({kept:.1f} %), kernels: {record.kernel}"
        )
    return lines
