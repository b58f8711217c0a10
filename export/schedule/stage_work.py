"""The layouts of a stage, and the work that it would be in plain C."""

from __future__ import annotations

from collections import Counter

from export.csource.source import Context
from export.csource.work import Work, border_work
from export.ir.graph import Graph
from export.operators.movement.reshape import copy_work
from export.operators.table import operator_of
from export.schedule.stage import Stage


def context_of(graph: Graph, stage: Stage, symbol: str = "layer") -> Context:
    """What an emitter gets of a stage."""
    sources = tuple(buffer.layout for buffer in stage.reads)
    layout, tensor = stage.writes.layout, stage.writes.tensor
    return Context(graph, stage.op, sources, layout, tensor, symbol, bool(stage.scratch_bytes))


def work_of(graph: Graph, stage: Stage) -> Work:
    """What a stage in plain C does how often."""
    rule = copy_work if stage.op is None else operator_of(stage.op).work
    assert rule is not None  # what has no plain C is always planned
    return Counter(rule(context_of(graph, stage))) + border_work(stage.writes.layout)
