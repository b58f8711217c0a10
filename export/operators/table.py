"""The table of operators: all that the exporter knows of each is found here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from export.ir.ops import Op
from export.operators import (
    add,
    concatenation,
    conv,
    dense,
    lookup,
    mean,
    pad,
    pool,
    reshape,
    shape_values,
    softmax,
)
from export.operators.operator import Operator
from export.reading.flatbuffer import RawOperator
from export.reading.lowering import Lowering

OPERATORS: tuple[Operator, ...] = (
    conv.CONV_2D,
    conv.DEPTHWISE_CONV_2D,
    dense.FULLY_CONNECTED,
    add.ADD,
    concatenation.CONCATENATION,
    pool.MAX_POOL_2D,
    pool.AVERAGE_POOL_2D,
    mean.MEAN,
    pad.PAD,
    reshape.RESHAPE,
    softmax.SOFTMAX,
    lookup.RELU,
    lookup.LOGISTIC,
    lookup.REQUANTIZE,
    lookup.LOOKUP,
)
READERS: Mapping[str, Callable[[Lowering, RawOperator], Op | None]] = shape_values.READERS | {
    name: reader for operator in OPERATORS for name, reader in operator.readers.items()
}
_BY_RECORD = {operator.op: operator for operator in OPERATORS}


def operator_of(op: Op) -> Operator:
    """The operator that a record of the graph is one of."""
    return _BY_RECORD[type(op)]
