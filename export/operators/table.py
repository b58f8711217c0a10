"""The table of operators: all that the exporter knows of each is found here."""

from __future__ import annotations

from collections.abc import Mapping

from export.ir.ops import Op
from export.operators.elementwise import add, arithmetic, lines, lookup
from export.operators.movement import concatenation, move, movements, pad, reshape, resize, shape_values
from export.operators.operator import Alias, Operator, Reader
from export.operators.products import conv, dense, matmul, transpose_conv
from export.operators.reductions import log_softmax, mean, pool, reduce, softmax
from export.operators.states import lstm, svdf, variables

OPERATORS: tuple[Operator, ...] = (
    conv.CONV_2D,
    conv.DEPTHWISE_CONV_2D,
    dense.FULLY_CONNECTED,
    add.ADD,
    arithmetic.ARITHMETIC,
    lines.LINES,
    matmul.MATMUL,
    concatenation.CONCATENATION,
    pool.MAX_POOL_2D,
    pool.AVERAGE_POOL_2D,
    mean.MEAN,
    reduce.REDUCE,
    reduce.ARG_MAX,
    pad.PAD,
    pad.FILL,
    move.MOVE,
    lstm.LSTM,
    svdf.SVDF,
    resize.RESIZE_BILINEAR,
    reshape.RESHAPE,
    softmax.SOFTMAX,
    log_softmax.LOG_SOFTMAX,
    lookup.RELU,
    lookup.LOOKUP,
)
ALIASES: tuple[Alias, ...] = (
    lookup.QUANTIZE,
    movements.MOVES,
    movements.RESHAPES,
    shape_values.SHAPES,
    transpose_conv.TRANSPOSE_CONV,
    variables.VARIABLES,
)
_ENTRIES: tuple[Operator | Alias, ...] = (*OPERATORS, *ALIASES)
READERS: Mapping[str, Reader] = {name: reader for entry in _ENTRIES for name, reader in entry.readers.items()}
_BY_RECORD = {operator.op: operator for operator in OPERATORS}


def operator_of(op: Op) -> Operator:
    """The operator that a record of the graph is one of."""
    return _BY_RECORD[type(op)]
