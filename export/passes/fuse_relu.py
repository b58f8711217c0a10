"""Fuses a stand-alone ReLU into the clamp of the operator before it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from export.ir.graph import Graph
from export.ir.ops import Op, Relu
from export.operators.table import operator_of


def fuse_relu(graph: Graph) -> Graph:
    """Removes every Relu that keeps its input's quantization and is the only reader of a clamping operator."""
    ops: list[Op] = []
    places: dict[int, int] = {}
    for op in graph.ops:
        before = places.get(op.inputs[0])
        producer: Any = None if before is None else ops[before]
        if (
            isinstance(op, Relu)
            and before is not None
            and operator_of(producer).clamps
            and producer.output not in graph.results
            and len(graph.consumers(producer.output)) == 1
            and graph.tensors[producer.output].quant == graph.tensors[op.output].quant
        ):
            low, high = (int(bound) for bound in np.clip(producer.clamp, *op.clamp))
            ops[before] = replace(producer, output=op.output, clamp=(low, high))
            places[op.output] = before
        else:
            places[op.output] = len(ops)
            ops.append(op)
    return replace(graph, ops=tuple(ops))
