"""Folds SPACE_TO_BATCH_ND, a convolution and BATCH_TO_SPACE_ND back into the dilated convolution they stand for.

Converters write a dilated convolution in this way where the batch size is open. The padded image is split into a batch
of images of every b-th row and column, these are convolved without gaps, and their outputs are interleaved again. Each
output is the sum of the same products.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from export.reading.flatbuffer import RawGraph, RawOperator, RawTensor

SPLIT, JOIN = "SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"
_CONVOLUTIONS = {"CONV_2D": "Conv2DOptions", "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions"}
_VALID = 1


def fold_dilations(graph: RawGraph, operators: Sequence[RawOperator]) -> list[RawOperator]:
    """The operators, with each such group of three as one convolution with the option ExplicitPadding.

    Args:
        graph: The stored graph with the tensors that the operators read and write.
        operators: In execution order.
    """
    readers: dict[int, list[RawOperator]] = {}
    for operator in operators:
        for tensor in operator.inputs:
            readers.setdefault(tensor, []).append(operator)
    folded: dict[int, RawOperator | None] = {}  # by the index of an operator, what stands in its place
    for split in operators:
        found = _fold(graph, split, readers) if split.name == SPLIT else None
        if found is not None:
            convolution, join = found
            folded |= {split.index: None, join.index: None, convolution.index: convolution}
    kept = (folded.get(operator.index, operator) for operator in operators)
    return [operator for operator in kept if operator is not None]


def _fold(
    graph: RawGraph, split: RawOperator, readers: dict[int, list[RawOperator]]
) -> tuple[RawOperator, RawOperator] | None:
    """The convolution for three operators that begin with `split`, and the last of them; None if they are others."""
    convolution = _only_reader(graph, split, readers)
    join = None if convolution is None else _only_reader(graph, convolution, readers)
    if convolution is None or join is None or join.name != JOIN or convolution.name not in _CONVOLUTIONS:
        return None
    options = convolution.options
    steps = ("StrideH", "StrideW", "DilationHFactor", "DilationWFactor")
    if options.get("Padding") != _VALID or any(options.get(step) != 1 for step in steps):
        return None
    if (
        any(len(operator.inputs) != 3 for operator in (split, join))
        or convolution.inputs[0] != split.outputs[0]
    ):
        return None
    block, block_again = (_integers(graph, operator, 1, (2,)) for operator in (split, join))
    pads, crops = (_integers(graph, operator, 2, (2, 2)) for operator in (split, join))
    if block is None or block_again is None or pads is None or crops is None or block.min() < 1:
        return None
    explicit = pads - crops
    if (block != block_again).any() or min(crops.min(), pads.min(), explicit.min()) < 0:
        return None
    if not (_alike(graph, split) and _alike(graph, join)):
        return None
    changed = {
        "DilationHFactor": int(block[0]),
        "DilationWFactor": int(block[1]),
        "ExplicitPadding": tuple(explicit.ravel().tolist()),
    }
    inputs = (split.inputs[0], *convolution.inputs[1:])
    return replace(convolution, inputs=inputs, outputs=join.outputs, options={**options, **changed}), join


def _only_reader(
    graph: RawGraph, operator: RawOperator, readers: dict[int, list[RawOperator]]
) -> RawOperator | None:
    """The only reader of an operator's output; None if there are several, or if the network returns it."""
    if len(operator.outputs) != 1 or operator.outputs[0] in graph.outputs:
        return None
    found = readers.get(operator.outputs[0], [])
    return found[0] if len(found) == 1 else None


def _integers(
    graph: RawGraph, operator: RawOperator, position: int, shape: tuple[int, ...]
) -> np.ndarray | None:
    index = operator.inputs[position]
    tensor = graph.tensors[index] if index >= 0 else None
    if tensor is None or tensor.data is None or tensor.dtype != "int32" or tensor.shape != shape:
        return None
    if len(tensor.data) != 4 * np.prod(shape):
        return None
    return tensor.data.view("<i4").astype(np.int64).reshape(shape)


def _alike(graph: RawGraph, operator: RawOperator) -> bool:
    """Whether an operator only moves values."""
    before, after = (graph.tensors[index] for index in (operator.inputs[0], operator.outputs[0]))
    return _meaning(before) == _meaning(after)


def _meaning(tensor: RawTensor) -> tuple[object, ...]:
    return tensor.dtype, tensor.scales, tensor.zero_points
