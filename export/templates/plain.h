/* Helpers of the plain C operators. Rounding is that of the TFLite reference kernels. */

/* Plain C and the portable kernels compute in int what takes 32 bits: other machines shall not compile them. */
typedef char ka_int_has_32_bits[sizeof(int) >= 4 ? 1 : -1];

/* Of short loops, compilers write some out and loop around others. Turns are hidden from them, so that cycles follow from
 * counts. */
static inline int ka_hidden(int turns)
{
#if defined(__GNUC__) && defined(__arm__)
    __asm__ volatile("" : "+r"(turns));
#endif
    return turns;
}

/* From here on compilers know nothing of a counter or pointer but that it is in a register: they cannot compute it from
 * others, and so leave loops as they are written. */
#if defined(__GNUC__) && defined(__thumb2__)
#define KA_FORGET(value) __asm__("" : "+r"(value))
#define KA_AFTER(value, other) __asm__("" : "+r"(value) : "r"(other)) /* and it comes after the other value */
#define KA_TURN(counter) __asm__("" : "+r"(counter) : : "memory") /* and it comes after earlier stores */
#else
#define KA_FORGET(value) (void)(value)
#define KA_AFTER(value, other) (void)(value)
#define KA_TURN(counter) (void)(counter)
#endif

/* Values are all there before the first is used: a core that waits for what it has just loaded does not. */
#if defined(__GNUC__) && defined(__thumb2__)
#define KA_TOGETHER_2(a, b) __asm__("" : "+r"(a), "+r"(b))
#define KA_TOGETHER_3(a, b, c) __asm__("" : "+r"(a), "+r"(b), "+r"(c))
#define KA_TOGETHER_4(a, b, c, d) __asm__("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d))
#else
#define KA_TOGETHER_2(a, b)
#define KA_TOGETHER_3(a, b, c)
#define KA_TOGETHER_4(a, b, c, d)
#endif

#if defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__) || defined(K_NARROW)
#define KA_NARROW 1 /* no long multiplications: products by halves, where compilers would call a function */
#else
#define KA_NARROW 0
#endif

#if KA_NARROW
/* (a * b + add) / 2^(16 + n), rounded down, n 1 to 15; add is a multiple of 2^16 below 2^31. */
static inline int32_t ka_product(int32_t a, int32_t b, int32_t add, int n)
{
    int32_t a_high = a >> 16, a_low = a & 0xffff, b_high = b >> 16, b_low = b & 0xffff;
    int32_t middle = a_high * b_low + (int32_t)(((uint32_t)a_low * (uint32_t)b_low) >> 16);
    int32_t low = a_low * b_high + (middle & 0xffff) + (add >> 16);
    return (int32_t)((uint32_t)(a_high * b_high + (middle >> 16)) << (16 - n)) + (low >> n);
}
#endif

/* a * b / 2^31, rounded. */
static inline int32_t ka_high_multiply(int32_t a, int32_t b)
{
#if KA_NARROW
    return ka_product(a, b, 1 << 30, 15);
#else
    return (int32_t)(((int64_t)a * b + (1 << 30)) >> 31);
#endif
}

/* x / 2^n to the nearest, ties away from zero. */
static inline int32_t ka_shift_right(int32_t x, int n)
{
    int32_t mask = (int32_t)((1u << n) - 1);
    return (x >> n) + ((x & mask) > (mask >> 1) + (x < 0));
}

/* x * mult * 2^(shift - 31) with two roundings. A left shift wraps at 32 bits. */
static inline int32_t ka_multiply(int32_t x, int32_t mult, int shift)
{
    int32_t shifted = shift > 0 ? (int32_t)((uint32_t)x << shift) : x;
    return ka_shift_right(ka_high_multiply(shifted, mult), shift < 0 ? -shift : 0);
}

/* x * mult / 2^(31 + n) with two roundings; n from 1, x between -2^30 and 2^30. */
static inline int32_t ka_multiply_right(int32_t x, int32_t mult, int n)
{
    int32_t y = ka_high_multiply(x, mult);
    return (y + (int32_t)(1u << (n - 1)) - (y < 0)) >> n;
}

/* x * mult * 2^(shift - 31) with one rounding. */
static inline int32_t ka_multiply_once(int32_t x, int32_t mult, int shift)
{
#if KA_NARROW
    if (shift < 0)
        return ((ka_product(x, mult, 0, 15) >> (-shift - 1)) + 1) >> 1;
    if (shift > 14)
        shift = 14; /* far beyond int8 in either case, or 0 */
    return ka_product(x, mult, 1 << (30 - shift), 15 - shift);
#else
    int total = 31 - shift;
    return (int32_t)(((int64_t)x * mult + ((int64_t)1 << (total - 1))) >> total);
#endif
}

/* x * mult / 2^(32 + n) with one rounding, n from 1. */
static inline int32_t ka_multiply_once_right(int32_t x, int32_t mult, int n)
{
#if KA_NARROW
    return ((ka_product(x, mult, 0, 15) >> n) + 1) >> 1;
#else
    return ((int32_t)(((int64_t)x * mult) >> 32) + (int32_t)(1u << (n - 1))) >> n;
#endif
}

/* Where a channel lies in a buffer whose middle two of every four channels trade places. */
static inline int ka_place(int channel)
{
    return (channel & ~3) | (channel & 1) << 1 | (channel >> 1 & 1);
}

static inline int32_t ka_clamp(int32_t x, int32_t low, int32_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* x within low and high, which are those of int8 or within. */
static inline int32_t ka_clamp8(int32_t x, int32_t low, int32_t high)
{
#if defined(__GNUC__) && defined(__thumb2__) && !defined(K_PORTABLE)
    __asm__("ssat %0, #8, %1" : "=r"(x) : "r"(x));
    x = low > -128 && x < low ? low : x;
    return high < 127 && x > high ? high : x;
#else
    return ka_clamp(x, low, high);
#endif
}

/* Fills bytes: words where they lie, so that no C library has to be known. */
static inline void ka_fill(int8_t *at, int8_t value, int bytes)
{
    uint32_t word = (uint8_t)value * 0x01010101u;
    for (; bytes && ((uintptr_t)at & 3); bytes--)
        *at++ = value;
    for (; bytes > 15; bytes -= 16) {
        memcpy(K_ALIGNED_POINTER(at), &word, sizeof word);
        memcpy(K_ALIGNED_POINTER(at + 4), &word, sizeof word);
        memcpy(K_ALIGNED_POINTER(at + 8), &word, sizeof word);
        memcpy(K_ALIGNED_POINTER(at + 12), &word, sizeof word);
        at += 16;
        KA_FORGET(at);
    }
    for (; bytes > 3; bytes -= 4) {
        memcpy(K_ALIGNED_POINTER(at), &word, sizeof word);
        at += 4;
        KA_FORGET(at);
    }
    for (; bytes; bytes--) {
        *at++ = value;
        KA_FORGET(at);
    }
}

/* Fills the border of a buffer with the zero point. Counts are elements of a row, rows, and elements left and right. */
#define KA_BORDER(type)                                                                                               \
    static inline void ka_border_##type(type##_t *at, int rows, int row, int top, int bottom, int left, int right,    \
                                        type##_t zero_point)                                                          \
    {                                                                                                                 \
        int y, i, inside = row - left - right;                                                                        \
        left = ka_hidden(top * row + left); /* of the first row, with those above */                                  \
        right = ka_hidden(right);                                                                                     \
        for (y = ka_hidden(rows - top - bottom); y; y--) {                                                            \
            for (i = left; i; i--) {                                                                                  \
                *at++ = zero_point;                                                                                   \
                KA_FORGET(at);                                                                                        \
            }                                                                                                         \
            at += inside;                                                                                             \
            left = row - inside - right;                                                                              \
            for (i = y > 1 ? right : right + bottom * row; i; i--) {                                                  \
                *at++ = zero_point;                                                                                   \
                KA_FORGET(at);                                                                                        \
            }                                                                                                         \
        }                                                                                                             \
    }
KA_BORDER(int8)
KA_BORDER(int16)

