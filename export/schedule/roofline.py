"""The multiply-accumulates of a layer, and the cycles they take if a core issues a dual one in every cycle."""

from __future__ import annotations

from math import prod

import numpy as np

from export.costing.counting.kernel_cycles import count_steps
from export.ir.graph import Graph
from export.ir.ops import Conv2D, DepthwiseConv2D, FullyConnected, Op
from export.kernels.plan import repeated_calls
from export.schedule.stage import Stage

DUAL_PRODUCTS = ("DOT", "DOT_FROM", "MAC")
"""Macros of two products each."""


def roofline_cycles(graph: Graph, stage: Stage) -> int | None:
    """The cycles of a layer if nothing but its dual products ran; None without products.

    For a direct kernel these are its kept pairs at all positions. A pair is input channels 2k and 2k + 1 at one
    kernel position; it counts if either weight is not zero. Positions that a fused pool leaves out do not count. For
    Winograd's algorithm they are the products at its points, for a depthwise layer half of each channel's kept taps.
    """
    op = stage.op
    if not isinstance(op, Conv2D | DepthwiseConv2D | FullyConnected):
        return None
    if stage.plan is not None and stage.plan.variant.startswith("winograd"):
        kernels = stage.plan.kernels
        return sum(
            times * count_steps(kernels[call.kernel].steps, DUAL_PRODUCTS, call.counts)
            for call, times in repeated_calls(stage.plan)
        )
    weights = graph.constant(op.weights)
    if isinstance(op, DepthwiseConv2D):
        taps = np.count_nonzero(weights.reshape(-1, weights.shape[-1]), axis=0)
        pairs = int((-(-taps // 2)).sum())
    else:
        padded = np.pad(weights, [(0, 0)] * (weights.ndim - 1) + [(0, weights.shape[-1] % 2)])
        pairs = int((padded.reshape(-1, 2) != 0).any(axis=1).sum())
    if isinstance(op, FullyConnected):
        return pairs
    shape = graph.tensors[(stage.pool or op).output].shape
    return pairs * shape[1] * shape[2] * (1 if stage.pool is None else prod(stage.pool.kernel))


def count_macs(graph: Graph, op: Op | None) -> tuple[int, int]:
    """Products of a layer at all output positions, and those whose weight is not zero."""
    if not isinstance(op, Conv2D | DepthwiseConv2D | FullyConnected):
        return 0, 0
    weights = np.asarray(graph.tensors[op.weights].data)
    shape = graph.tensors[op.output].shape
    positions = 1 if isinstance(op, FullyConnected) else shape[1] * shape[2]
    return weights.size * positions, int(np.count_nonzero(weights)) * positions
