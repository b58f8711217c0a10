"""Candidates of stages, priced once for all stages of the same content."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace

from cachetools import LRUCache

from export.costing.candidate import Candidate, Wanted
from export.digest import digest
from export.ir.graph import Graph
from export.ir.rewrite import constants_of, redirect
from export.schedule.stage import Stage, stage_name
from export.schedule.stage_plans import stage_candidates
from export.targets import Target

Candidates = Callable[..., Sequence[Candidate]]
"""Like `stage_plans.stage_candidates`."""

_STAGES = 4096  # the most stages with remembered candidates

_log = logging.getLogger(__name__)


class Remembered:
    """Gives the candidates of a stage, and remembers them for others with the same kernels to choose from.

    Args:
        candidates: Where they come from.
        plans: Whether the candidates can be planned; those that are only priced take less memory.
    """

    def __init__(self, candidates: Candidates = stage_candidates, *, plans: bool = True) -> None:
        self._candidates = candidates
        self._plans = plans
        self._found: LRUCache[Hashable, Sequence[Candidate]] = LRUCache(_STAGES)

    def __call__(
        self, graph: Graph, stage: Stage, target: Target, wanted: Wanted = Wanted.FASTEST
    ) -> Sequence[Candidate]:
        key = (wanted, target.placement, *_content(graph, stage))
        if key not in self._found:
            _log.info("pricing kernels of %s %s", stage.kind, stage_name(graph, stage))
            found = self._candidates(graph, stage, target, wanted)
            self._found[key] = found if self._plans else [replace(one, plan=None) for one in found]
        return self._found[key]


def _content(graph: Graph, stage: Stage) -> tuple[Hashable, ...]:
    """All that the kernels of a stage depend on: not the numbers and names of its tensors."""
    ops = [op for op in (stage.op, stage.pool, stage.add) if op is not None]
    buffers = (*stage.reads, stage.writes)
    named = [tensor for op in ops for tensor in (*op.inputs, op.output, *constants_of(op))]
    numbers = {
        tensor: number
        for number, tensor in enumerate(dict.fromkeys([*named, *(buffer.tensor for buffer in buffers)]))
    }
    tensors = [graph.tensors[tensor] for tensor in numbers]
    return (
        stage.kind,
        *(redirect(op, numbers) for op in ops),
        *((numbers[buffer.tensor], buffer.layout) for buffer in buffers),
        *((t.shape, t.quantization, None if t.data is None else digest(t.data)) for t in tensors),
    )
