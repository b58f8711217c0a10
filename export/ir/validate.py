"""Checks the invariants every stage may rely on."""

from __future__ import annotations

from export.ir.graph import Graph
from export.ir.ops import Conv2D, DepthwiseConv2D, FullyConnected
from export.ir.rewrite import constants_of


def validate(graph: Graph) -> None:
    """Raises ValueError where a graph breaks an invariant; frontends and passes never make such a graph.

    Activations are int8, quantized per tensor, of batch 1, written once and before they are read; constants
    have data of their shape and type; the inputs and the outputs are activations. Only what an operator keeps for
    itself, and an output of indices, is of another type.
    """
    written = set(graph.inputs)
    for tensor in graph.inputs:
        _check_activation(graph, tensor)
    for state in graph.states:
        if state.read in written or state.initial.shape != graph.tensors[state.read].shape:
            raise ValueError(f"state {state.read} is an input, or starts from a value of another shape")
        written.add(state.read)
    for op in graph.ops:
        for index in op.inputs:
            if graph.is_constant(index):
                _check_constant(graph, index)
            elif index not in written:
                raise ValueError(f"{op} reads tensor {index} before it is written")
        for index in constants_of(op):
            _check_constant(graph, index)
        if isinstance(op, Conv2D | DepthwiseConv2D | FullyConnected):
            _check_scales(graph, op)
        if op.output in written:
            raise ValueError(f"{op} writes tensor {op.output} again")
        if graph.tensors[op.output].dtype == "int8" or op.output not in graph.outputs:
            _check_activation(graph, op.output)
        written.add(op.output)
    for tensor in graph.results:
        if tensor not in written and not graph.is_constant(tensor):
            raise ValueError(f"nothing writes the result, tensor {tensor}")


def _check_activation(graph: Graph, index: int) -> None:
    tensor = graph.tensors[index]
    if tensor.data is not None or tensor.dtype != "int8" or tensor.shape[:1] != (1,) or min(tensor.shape) < 1:
        raise ValueError(f"tensor {index} is no int8 activation of batch 1: {tensor}")
    if len(tensor.quant.scales) != 1 or tensor.quant.scale <= 0 or not -128 <= tensor.quant.zero_point <= 127:
        raise ValueError(f"tensor {index} is not quantized per tensor: {tensor.quantization}")


def _check_constant(graph: Graph, index: int) -> None:
    tensor, data = graph.tensors[index], graph.constant(index)
    if data.shape != tensor.shape or data.dtype != tensor.dtype:
        raise ValueError(
            f"constant {index} is {tensor.dtype} {tensor.shape} but holds {data.dtype} {data.shape}"
        )


def _check_scales(graph: Graph, op: Conv2D | DepthwiseConv2D | FullyConnected) -> None:
    weights, channels = graph.tensors[op.weights], graph.tensors[op.output].shape[-1]
    if any(weights.quant.zero_points) or len(weights.quant.scales) not in (1, channels):
        raise ValueError(f"weights {op.weights} need zero point 0 and 1 or {channels} scales")
    if op.bias is not None and graph.tensors[op.bias].shape != (channels,):
        raise ValueError(f"bias {op.bias} needs shape ({channels},), got {graph.tensors[op.bias].shape}")
