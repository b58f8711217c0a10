"""One emitter a kind of stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..source import Context
from .add import emit_add
from .concatenation import emit_concatenation
from .conv import emit_conv
from .copy import emit_copy
from .lookup import emit_lookup
from .mean import emit_mean
from .pad import emit_pad
from .plain_conv import emit_plain_conv
from .pool import emit_pool
from .softmax import emit_softmax

_EMITTERS: Mapping[str, Callable[[Context], str]] = {
    "add": emit_add,
    "average_pool2d": emit_pool,
    "concatenation": emit_concatenation,
    "copy": emit_copy,
    "depthwise_conv2d": emit_plain_conv,
    "lookup": emit_lookup,
    "max_pool2d": emit_pool,
    "mean": emit_mean,
    "pad": emit_pad,
    "softmax": emit_softmax,
}


def emit(context: Context) -> str:
    """The C text of a stage: tables, kernels, and the layer function."""
    if context.stage.kind in ("conv2d", "fully_connected"):
        return emit_conv(context) if context.stage.plan is not None else emit_plain_conv(context)
    return _EMITTERS[context.stage.kind](context)
