"""The C text of a stage: planned ones as kernels, the rest as plain C loops, one emitter a kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from export.codegen.ops.copy import emit_copy
from export.codegen.ops.mean import emit_mean
from export.codegen.ops.plain_add import emit_add
from export.codegen.ops.plain_conv import emit_plain_conv
from export.codegen.ops.planned import emit_planned
from export.codegen.ops.pool import emit_pool
from export.codegen.source import Context

_EMITTERS: Mapping[str, Callable[[Context], str]] = {
    "add": emit_add,
    "average_pool2d": emit_pool,
    "conv2d": emit_plain_conv,
    "copy": emit_copy,
    "depthwise_conv2d": emit_plain_conv,
    "fully_connected": emit_plain_conv,
    "max_pool2d": emit_pool,
    "mean": emit_mean,
}


def emit(context: Context) -> str:
    """Tables, kernels, and the layer function."""
    if context.stage.plan is not None:
        return emit_planned(context, context.stage.plan)
    return _EMITTERS[context.stage.kind](context)
