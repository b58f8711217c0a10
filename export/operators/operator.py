"""The record of an operator: everything that the exporter's stages ask about one kind of operator of the graph.

An operator has one file, or shares it with its relatives, and the file makes its record; `table` lists the records. A
new operator needs its arithmetic, its C text and its readers; the rules of the analyses have defaults that are right
for any operator, and only cost what they do not know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.csource.source import Context
from export.csource.work import Work
from export.ir.graph import Graph
from export.ir.ops import Op
from export.kernels.layout import Layout
from export.kernels.plan import Plan
from export.reading.flatbuffer import RawOperator
from export.reading.lowering import Lowering

Mask = NDArray[np.bool_]
"""Bool [*shape without the batch dimension]: some elements of an activation."""
Range = NDArray[np.int8]
"""Int8 [2, *shape without the batch dimension]: the least and the largest value of each element."""


Reader = Callable[[Lowering, RawOperator], Op | Iterable[Op] | None]
"""Makes the records of a stored operator; None where nothing is left to compute."""


class Channels(Enum):
    """How the channels of an operator's output follow from those of its inputs."""

    FREE = "any of them may go without the others"
    VECTOR = "likewise, and an image at the input is read as one vector"
    SAME = "each output channel is computed from the same channel of each input"
    MOVED = "likewise, and pixels are moved as a whole"
    FLAT = "the output is the input as one vector"
    FIXED = "all have to stay where they are"


class Order(Enum):
    """Whether an operator can read and write channels that are shuffled in fours (see `Layout`)."""

    ANY = "it can"
    FOURS = "only if all its tensors have whole fours of channels"
    PLAIN = "it cannot"


def full_range(shape: tuple[int, ...]) -> Range:
    """Every value, for an activation of a shape without the batch dimension."""
    ends = np.array([-128, 127], np.int8).reshape(2, *(1,) * len(shape))
    return np.broadcast_to(ends, (2, *shape))


def _any_value(graph: Graph, op: Any, sources: Sequence[Range]) -> Range:
    return full_range(graph.tensors[op.output].shape[1:])


def _reads_all(graph: Graph, op: Any, read: Mask) -> list[Mask]:
    return [np.broadcast_to(read.any(), graph.tensors[tensor].shape[1:]) for tensor in op.inputs]


def _never(graph: Graph, op: Any) -> bool:
    return False


def _no_plan(graph: Graph, op: Any, sources: Sequence[Layout], target: Layout) -> Plan | None:
    return None


@dataclass(frozen=True)
class Operator:
    """One kind of operator.

    Attributes:
        op: The class of its records in the graph.
        kind: Its name in estimates, manifests and generated files.
        compute: Its arithmetic, bit for bit that of TFLite's reference kernels: from the graph, the record and int8
            activations [n, ...] to the output [n, ...], int8 or int32 indices; the new values of states follow it.
        emit: The C text of a layer that no kernels are planned for.
        work: What that C text does how often; needed where there is one.
        readers: How TFLite's operators are read as this one, by name.
        limits: What of them is supported, for the documentation.
        plan: Kernels of the kernel language, or None where plain C has to do.
        table: For a function of single int8 values: its 256 outputs for the inputs -128 .. 127.
        ranges: Which values the output can take; every value by default.
        reads: Which elements of its inputs matter, given those of the output that do; all by default.
        channels: See `Channels`; a function of the graph and the record.
        order: See `Order`.
        identity: Whether a record changes nothing, given that shape and quantization stay.
        clamps: Whether a ReLU behind it can be a part of its `clamp`.
    """

    op: type[Op]
    kind: str
    compute: Callable[..., Any]
    emit: Callable[[Context], str] | None = None
    work: Callable[[Context], Work] | None = None
    readers: Mapping[str, Reader] = field(default_factory=dict)
    limits: str = ""
    plan: Callable[[Graph, Any, Sequence[Layout], Layout], Plan | None] = _no_plan
    table: Callable[[Graph, Any], tuple[int, ...]] | None = None
    ranges: Callable[[Graph, Any, Sequence[Range]], Range] = _any_value
    reads: Callable[[Graph, Any, Mask], list[Mask]] = _reads_all
    channels: Callable[[Graph, Any], Channels] = lambda graph, op: Channels.FIXED
    order: Order = Order.PLAIN
    identity: Callable[[Graph, Any], bool] = _never
    clamps: bool = False


@dataclass(frozen=True)
class Alias:
    """Operators of TFLite that are read as others, and have no record of their own in the graph.

    Attributes:
        readers: How each is read, by name.
        limits: What of them is supported, for the documentation.
    """

    readers: Mapping[str, Reader]
    limits: str
