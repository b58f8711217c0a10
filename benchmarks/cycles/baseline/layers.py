"""The C text of one layer of a baseline project: its constants, its parameters, and the call of its kernel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from export.csource.text import table
from export.errors import UnsupportedModelError
from export.ir import ops
from export.ir.fixed_point import add_parameters, conv_multipliers
from export.ir.graph import Graph
from export.ir.softmax import exp_table

KINDS: Mapping[type[ops.Op], str] = {
    ops.Conv2D: "conv2d",
    ops.FullyConnected: "fullyconnected",
    ops.MaxPool2D: "maxpool2d",
    ops.AveragePool2D: "averagepool2d",
    ops.Add: "add",
    ops.Softmax: "softmax",
}


def kind_of(op: ops.Op) -> str:
    """The layer's kind as in the names of its symbols.

    Raises:
        UnsupportedModelError: The baseline has no kernel for the operator.
    """
    try:
        return KINDS[type(op)]
    except KeyError:
        raise UnsupportedModelError(
            f"the baseline has kernels for {', '.join(sorted(KINDS.values()))}, got {type(op).__name__}; "
            "benchmark a network of those layers"
        ) from None


def column_bytes(graph: Graph, op: ops.Op) -> int:
    """RAM a layer needs beside its input and output: two int16 columns of a convolution."""
    if not isinstance(op, ops.Conv2D):
        return 0
    length = int(np.prod(graph.tensors[op.weights].shape[1:]))
    return 2 * 2 * (length + length % 2)


def emit_layer(graph: Graph, op: ops.Op, symbol: str) -> str:
    """Constants and function of a layer; the function takes its inputs, then columns if any, then the output."""
    kind = kind_of(op)
    tables, fields = _PARAMETERS[type(op)](graph, op, symbol)
    kernel, struct = _KERNELS[type(op)]
    pointers = ["a", "b"][: len(op.inputs)]
    arguments = [f"const int8_t *{pointer}" for pointer in pointers]
    if kind == "conv2d":
        arguments.append("int16_t *columns")
        pointers.append("columns")
    signature = f"void {symbol}({', '.join([*arguments, 'int8_t *out'])})"
    return (
        f'#include "baseline_kernels.h"\n\n{signature};\n\n{tables}\n'
        f"static const struct {struct} {symbol}_layer = {{{fields}}};\n\n"
        f"{signature}\n{{\n    {kernel}(&{symbol}_layer, {', '.join([*pointers, 'out'])});\n}}\n"
    )


_KERNELS: Mapping[type[ops.Op], tuple[str, str]] = {
    ops.Conv2D: ("baseline_conv", "conv"),
    ops.FullyConnected: ("baseline_dense", "dense"),
    ops.MaxPool2D: ("baseline_max_pool", "pool"),
    ops.AveragePool2D: ("baseline_average_pool", "pool"),
    ops.Add: ("baseline_add", "add"),
    ops.Softmax: ("baseline_softmax", "softmax"),
}


def _window(graph: Graph, op: Any, kernel: tuple[int, int], dilation: tuple[int, int]) -> str:
    sizes = [graph.tensors[index].shape[1:] for index in (op.inputs[0], op.output)]
    numbers = [*sizes[0], *sizes[1], *kernel, *op.stride, *dilation, op.padding.top, op.padding.left]
    return f"{{{', '.join(map(str, numbers))}}}"


def _linear(graph: Graph, op: Any, symbol: str) -> tuple[str, str]:
    """Tables of weights, bias and multipliers, and the fields from `weights` on."""
    weights, target = graph.constant(op.weights), graph.tensors[op.output]
    multipliers = conv_multipliers(graph, op)
    bias = [0] * len(weights) if op.bias is None else graph.constant(op.bias).tolist()
    tables = table("int8_t", f"{symbol}_weights", weights.ravel().tolist())
    tables += table("int32_t", f"{symbol}_bias", bias)
    tables += table("int32_t", f"{symbol}_mult", [mult for mult, _ in multipliers])
    tables += table("int8_t", f"{symbol}_shift", [shift for _, shift in multipliers])
    low, high = op.clamp
    fields = f"{symbol}_weights, {symbol}_bias, {graph.tensors[op.inputs[0]].quant.zero_point}, "
    fields += f"{{{symbol}_mult, {symbol}_shift, {target.quant.zero_point}, {low}, {high}}}"
    return tables, fields


def _conv(graph: Graph, op: ops.Conv2D, symbol: str) -> tuple[str, str]:
    tables, fields = _linear(graph, op, symbol)
    _, height, width, _ = graph.tensors[op.weights].shape
    return tables, f"{_window(graph, op, (height, width), op.dilation)}, {fields}"


def _dense(graph: Graph, op: ops.FullyConnected, symbol: str) -> tuple[str, str]:
    tables, fields = _linear(graph, op, symbol)
    outputs, inputs = graph.tensors[op.weights].shape
    return tables, f"{inputs}, {outputs}, {fields}"


def _pool(graph: Graph, op: ops.MaxPool2D | ops.AveragePool2D, symbol: str) -> tuple[str, str]:
    return "", f"{_window(graph, op, op.kernel, (1, 1))}, {op.clamp[0]}, {op.clamp[1]}"


def _add(graph: Graph, op: ops.Add, symbol: str) -> tuple[str, str]:
    parameters, target = add_parameters(graph, op), graph.tensors[op.output]
    inputs = (parameters.input1, parameters.input2)
    columns = [
        [graph.tensors[index].quant.zero_point for index in op.inputs],
        [mult for mult, _ in inputs],
        [shift for _, shift in inputs],
    ]
    pairs = ", ".join(f"{{{first}, {second}}}" for first, second in columns)
    out = (*parameters.output, target.quant.zero_point, *op.clamp)
    return "", f"{target.size}, {pairs}, {', '.join(map(str, out))}"


def _softmax(graph: Graph, op: ops.Softmax, symbol: str) -> tuple[str, str]:
    target = graph.tensors[op.output]
    columns = target.shape[-1]
    exponentials = table("int32_t", f"{symbol}_exp", exp_table(graph, op))
    return exponentials, f"{target.size // columns}, {columns}, {symbol}_exp"


_PARAMETERS: Mapping[type[ops.Op], Callable[[Graph, Any, str], tuple[str, str]]] = {
    ops.Conv2D: _conv,
    ops.FullyConnected: _dense,
    ops.MaxPool2D: _pool,
    ops.AveragePool2D: _pool,
    ops.Add: _add,
    ops.Softmax: _softmax,
}
