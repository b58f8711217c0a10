"""`ir.fixed_point16` as C, for the files of layers that need it."""

from __future__ import annotations

from export.ir.fixed_point16 import (
    EXP_OF_MINUS_EIGHTH,
    EXP_OF_POWERS,
    MINUS_ONE_POINT_NINE,
    ONE_THIRD,
    TWO_POINT_EIGHT,
)

FUNCTIONS = f"""
static int32_t fx16_clamp(int32_t a)
{{
    return a > 32767 ? 32767 : a < -32768 ? -32768 : a;
}}

/* a / 2^n, ties away from zero. */
static int32_t fx16_round(int32_t a, int n)
{{
    int32_t mask = (int32_t)((1u << n) - 1), rest = a & mask;
    return (a >> n) + (rest > (mask >> 1) + (a < 0));
}}

/* a * b / 2^15, rounded. */
static int32_t fx16_high(int32_t a, int32_t b)
{{
    int32_t product = a * b;
    return fx16_clamp((product + (product >= 0 ? 1 << 14 : 1 - (1 << 14))) / (1 << 15));
}}

/* 2 / (1 + exp(a)) of a <= 0 with some integer bits, in Q2.13. */
static int32_t fx16_quotient(int32_t a, int bits)
{{
    static const int16_t powers[] = {{{", ".join(map(str, EXP_OF_POWERS))}}};
    int fraction = 15 - bits;
    int32_t quarter = 1 << (fraction - 2);
    int32_t below = (a & (quarter - 1)) - quarter;
    int32_t x = fx16_clamp(below * (1 << bits)) + (1 << 12);
    int32_t x2 = fx16_high(x, x), x3 = fx16_high(x2, x), x4 = fx16_high(x2, x2);
    int32_t tail = fx16_round(fx16_high(fx16_round(x4, 2) + x3, {ONE_THIRD}) + x2, 1);
    int32_t e = fx16_clamp({EXP_OF_MINUS_EIGHTH} + fx16_high(x + tail, {EXP_OF_MINUS_EIGHTH}));
    for (int k = 0; k < 7 && k < bits + 2; k++)
        if ((below - a) >> (fraction + k - 2) & 1)
            e = fx16_high(e, powers[k]);
    if (bits > 5 && a < -(32 * (1 << fraction)))
        e = 0;
    if (a == 0)
        e = 32767;
    int32_t half = (e + 32767 + 1) / 2;
    int32_t q = fx16_clamp({TWO_POINT_EIGHT} + fx16_high(half, {MINUS_ONE_POINT_NINE}));
    for (int i = 0; i < 3; i++) {{
        int32_t error = fx16_clamp((1 << 13) - fx16_high(half, q));
        q = fx16_clamp(q + fx16_clamp(fx16_high(q, error) * 4));
    }}
    return q;
}}

/* Of Q3.12, in Q0.15. */
static inline int32_t fx16_logistic(int32_t a)
{{
    int32_t positive = fx16_clamp(fx16_quotient(a < 0 ? a : -a, 3) * 2);
    return a == 0 ? 1 << 14 : a > 0 ? positive : 32767 - positive;
}}

/* Of a value with some integer bits, in Q0.15. */
static inline int32_t fx16_tanh(int32_t a, int bits)
{{
    int32_t t = fx16_clamp(fx16_clamp(fx16_quotient(a < 0 ? a : -a, bits + 1) - (1 << 13)) * 4);
    return a == 0 ? 0 : a < 0 ? -t : t;
}}
"""
