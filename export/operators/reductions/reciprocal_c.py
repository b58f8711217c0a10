"""`ir.softmax.reciprocal_above_one` as C, for the files of layers that need it."""

from __future__ import annotations

from string import Template

from export.ir.softmax import RECIPROCAL_SLOPE, RECIPROCAL_START

_FUNCTION = Template(
    """
/* 1 / (1 + x) of x from 0 to 1, in Q0.31, given (1 + x) / 2: three steps of Newton's method from a linear guess. The
 * guess is off by 1 / 17 at most, so no step leaves 32 bits. */
static int32_t ${symbol}_reciprocal(int32_t half)
{
    int32_t x = ${START} + ka_high_multiply(half, ${SLOPE});
    for (int i = 0; i < 3; i++)
        x += ka_high_multiply(x, (1 << 29) - ka_high_multiply(half, x)) * 4;
    return x > 1073741823 ? 2147483647 : x * 2;
}
"""
)


def reciprocal_function(symbol: str) -> str:
    """The function `<symbol>_reciprocal`."""
    return _FUNCTION.substitute(symbol=symbol, START=RECIPROCAL_START, SLOPE=RECIPROCAL_SLOPE)
