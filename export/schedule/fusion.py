"""Which operators one stage computes: a convolution with the max pool or the residual Add behind it."""

from __future__ import annotations

from dataclasses import dataclass

from export.ir.graph import Graph
from export.ir.ops import Add, Conv2D, MaxPool2D, Op, Padding, Reshape
from export.kernels.conv_problem import requantizations
from export.kernels.elementwise.addition import addition


@dataclass(frozen=True)
class Layer:
    """An operator and what is fused behind it.

    Attributes:
        op: The operator.
        pool: A max pool of its output, or None.
        add: An Add of its output and of a tensor whose buffer the sum takes over, or None.
    """

    op: Op
    pool: MaxPool2D | None = None
    add: Add | None = None

    @property
    def output(self) -> int:
        """The tensor that the layer writes."""
        last = self.pool or self.add or self.op
        return last.output

    @property
    def residual(self) -> int:
        """The other tensor of a fused Add."""
        assert self.add is not None
        first, second = self.add.inputs
        return second if first == self.op.output else first


def fuse(graph: Graph) -> list[Layer]:
    """The layers of a graph that kernels compute, in execution order."""
    pools = {op.inputs[0]: op for op in graph.ops if isinstance(op, MaxPool2D) and _joins_pool(graph, op)}
    adds = {
        conv.output: op for op in graph.ops if isinstance(op, Add) and (conv := _convolution_of(graph, op))
    }
    fused = {id(op) for op in (*pools.values(), *adds.values())}
    return [Layer(op, pools.get(op.output), adds.get(op.output)) for op in graph.ops if id(op) not in fused]


def _joins_pool(graph: Graph, op: MaxPool2D) -> bool:
    """Whether a max pool is 2 x 2 with stride 2 and the only reader of a convolution."""
    if (op.kernel, op.stride) != ((2, 2), (2, 2)) or op.padding != Padding():
        return False
    producer = graph.producer(op.inputs[0])
    return (
        isinstance(producer, Conv2D)
        and len(graph.consumers(producer.output)) == 1
        and producer.output not in graph.results
        and requantizations(graph, producer, op) is not None
    )


def _convolution_of(graph: Graph, op: Add) -> Conv2D | None:
    """The convolution that can add its output to the other input of an Add in place."""
    if op.output in graph.results:
        return None
    for number, (own, residual) in enumerate((op.inputs, op.inputs[::-1])):
        producer = graph.producer(own)
        if (
            isinstance(producer, Conv2D)
            and _can_add(graph, producer, op, residual)
            and addition(graph, op, linear=number) is not None
        ):
            return producer
    return None


def _can_add(graph: Graph, conv: Conv2D, op: Add, residual: int) -> bool:
    """Whether only the Add reads a convolution's output, and nothing else the residual once the convolution runs.

    Rows of an odd number of positions do not work: their last block computes a position again, and would add twice.
    """
    position = graph.ops.index(conv)
    columns = graph.tensors[conv.output].shape[2]
    source = graph.producer(residual)
    readers = graph.consumers(residual)
    return (
        graph.consumers(conv.output) == (op,)
        and conv.output not in (*graph.results, residual)
        and (columns == 1 or columns % 2 == 0)
        and source is not None
        and not isinstance(source, Reshape)
        and graph.ops.index(source) < position
        and residual not in (conv.inputs[0], *graph.results)
        and all(reader == op or graph.ops.index(reader) < position for reader in readers)
        and not any(isinstance(reader, Reshape) for reader in readers)
        and requantizations(graph, conv, None) is not None
    )
