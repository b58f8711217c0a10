/* Runtime of the generated kernels: the kernel macros, and small helpers for the plain C operators.
 * Part of keras_approx. SPDX-License-Identifier: Apache-2.0
 *
 * A kernel is a list of K_ macros. On an Arm core with the DSP extension each expands to the text of one or a few
 * instructions, and the list to one file-scope assembly function, so that what was scheduled is what runs, whatever
 * compiler and optimization level. Everywhere else the same list expands to plain C statements.
 * Define K_PORTABLE to use the C statements on Arm too.
 *
 * A kernel is entered with the input in r0, the stream of constants in r1, the output in r2 and a table in r3. In
 * convolutions r2 and r3 then hold weights, r4 and r5 operand pairs and temporaries, r6 to r12 and lr accumulators: what
 * is loaded most lies low, where instructions take two bytes.
 */
#ifndef KA_RUNTIME_H
#define KA_RUNTIME_H

#include <stdint.h>
#include <string.h>

/* Loops begin at words: these cores take longer for instructions of four bytes that lie across them. */
#if defined(__GNUC__) && !defined(__clang__) && (defined(__ARM_ARCH_7M__) || defined(__ARM_ARCH_7EM__))
#pragma GCC optimize("align-loops=4")
#endif

#if defined(__thumb2__) && defined(__ARM_FEATURE_DSP) && !defined(K_PORTABLE)
#define K_ASSEMBLY 1
#else
#define K_ASSEMBLY 0
#endif

/* in: operands. wt: the stream of constants, or a second operand. out: the first element to write. aux: a table. */
typedef void ka_kernel(const void *in, const void *wt, void *out, const void *aux);

/* A layer's constants begin where a line of any flash or cache does: what is read again and again then takes as few
 * lines as can be, and stays. */
#if defined(__GNUC__)
#define K_ALIGNED __attribute__((aligned(32)))
#else
#define K_ALIGNED
#endif

#if defined(__GNUC__)
#define K_ALIGNED_POINTER(at) __builtin_assume_aligned(at, 4)
#else
#define K_ALIGNED_POINTER(at) (at)
#endif

/* Compiled as C++, functions that other files or assembly know keep their names. */
#ifdef __cplusplus
#define KA_C extern "C"
#define KA_ZEROS {}
#else
#define KA_C
#define KA_ZEROS {0}
#endif

#define K_DECLARE(name) KA_C ka_kernel name;

#if K_ASSEMBLY

/* frame: stack slots of four bytes. Copied kernels run from RAM: they lie with the initial values of data, so that
 * start-up code copies them; a linker script may give `.data.ka_copies.*` a bank of its own. */
#define K_BEGIN(name, frame) K_BEGIN_IN(".text.", "ax", name, frame)
#define K_BEGIN_COPIED(name, frame) K_BEGIN_IN(".data.ka_copies.", "aw", name, frame)
#define K_BEGIN_IN(section, flags, name, frame)                                                                       \
    __asm__(".pushsection " section #name ",\"" flags "\",%progbits\n.syntax unified\n.thumb\n.balign 4\n.global " #name \
            "\n.type " #name ", %function\n.thumb_func\n" #name ":\npush {r4-r11, lr}\nsub.w sp, sp, #4*" #frame "\n"
#define K_END(name, frame)                                                                                            \
    "add sp, #4*" #frame "\npop {r4-r11, pc}\n.size " #name ", . - " #name "\n.popsection\n");

@assembly@
#else /* the same in C */

/* Registers: a pointer, or a value in the low 32 bits. */
typedef struct {
    uintptr_t r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, r12, lr;
} ka_registers;

static inline uint32_t ka_load(uintptr_t at)
{
    uint32_t word;
    memcpy(&word, (const void *)at, sizeof word);
    return word;
}

static inline uint32_t ka_load16(uintptr_t at)
{
    int16_t half;
    memcpy(&half, (const void *)at, sizeof half);
    return (uint32_t)half;
}

static inline uint32_t ka_load8(uintptr_t at)
{
    return (uint32_t)*(const int8_t *)at;
}

static inline void ka_store(uintptr_t at, uintptr_t a)
{
    uint32_t word = (uint32_t)a;
    memcpy((void *)at, &word, sizeof word);
}

static inline void ka_store16(uintptr_t at, uintptr_t a)
{
    uint16_t half = (uint16_t)a;
    memcpy((void *)at, &half, sizeof half);
}

static inline void ka_store8(uintptr_t at, uintptr_t a)
{
    *(uint8_t *)at = (uint8_t)a;
}

/* A value as a number of its own width. */
static inline int32_t ka_signed(uintptr_t a)
{
    return (int32_t)(uint32_t)a;
}

/* A signed index in a register, as a distance. */
static inline uintptr_t ka_index(uintptr_t a)
{
    return (uintptr_t)(intptr_t)ka_signed(a);
}

static inline int32_t ka_low(uintptr_t a)
{
    return (int16_t)(uint16_t)a;
}

static inline int32_t ka_high(uintptr_t a)
{
    return (int16_t)(uint16_t)((uint32_t)a >> 16);
}

static inline uint32_t ka_pack(int32_t low, int32_t high)
{
    return ((uint32_t)low & 0xffff) | (uint32_t)high << 16;
}

/* Kept out of line: with thousands of these in one block, compilers take minutes for what calls do in seconds. */
#if defined(__GNUC__)
__attribute__((noinline, unused)) static uint32_t ka_smlad(uintptr_t a, uintptr_t x, uintptr_t w)
#else
static inline uint32_t ka_smlad(uintptr_t a, uintptr_t x, uintptr_t w)
#endif
{
    return (uint32_t)a + (uint32_t)(ka_low(x) * ka_low(w)) + (uint32_t)(ka_high(x) * ka_high(w));
}

/* The high word of a * w + (c << 32) + round, as SMMLA (round 0) and SMMLAR (round 2^31) give it. */
static inline uint32_t ka_smmla(uintptr_t a, uintptr_t w, uintptr_t c, uint32_t round)
{
    int64_t product = (int64_t)ka_signed(a) * ka_signed(w);
    return (uint32_t)(((uint64_t)product + ((uint64_t)(uint32_t)c << 32) + round) >> 32);
}

static inline uint32_t ka_asr(uintptr_t a, uintptr_t n)
{
    return (uint32_t)(ka_signed(a) >> n);
}

static inline uint32_t ka_max(uintptr_t a, uintptr_t b)
{
    return (uint32_t)(ka_signed(a) < ka_signed(b) ? b : a);
}

static inline uint32_t ka_min(uintptr_t a, uintptr_t b)
{
    return (uint32_t)(ka_signed(a) > ka_signed(b) ? b : a);
}

static inline uint32_t ka_ssat8(uintptr_t a)
{
    return ka_max(ka_min(a, 127), (uint32_t)-128);
}

/* Leading zeros. */
static inline uint32_t ka_clz(uintptr_t a)
{
    uint32_t n = 0;
    while (n < 32 && !((uint32_t)a >> (31 - n)))
        n++;
    return n;
}

/* Bytes 0 and 2, sign-extended to halfwords. */
static inline uint32_t ka_widen(uintptr_t word)
{
    return ka_pack((int8_t)(uint8_t)word, (int8_t)(uint8_t)(word >> 16));
}

/* Sums of halfwords. */
static inline uint32_t ka_add16(uintptr_t a, uintptr_t b)
{
    return ka_pack(ka_low(a) + ka_low(b), ka_high(a) + ka_high(b));
}

/* The larger halfwords. */
static inline uint32_t ka_larger16(uintptr_t a, uintptr_t b)
{
    return ka_pack(ka_low(a) < ka_low(b) ? ka_low(b) : ka_low(a), ka_high(a) < ka_high(b) ? ka_high(b) : ka_high(a));
}

/* The larger bytes. */
static inline uint32_t ka_larger8(uintptr_t a, uintptr_t b)
{
    uint32_t even = ka_larger16(ka_widen(a), ka_widen(b)), odd = ka_larger16(ka_widen(a >> 8), ka_widen(b >> 8));
    return (even & 0x00ff00ff) | (odd & 0x00ff00ff) << 8;
}

#define K_BEGIN(name, frame)                                                                                          \
    void name(const void *in, const void *wt, void *out, const void *aux)                                             \
    {                                                                                                                 \
        ka_registers s = KA_ZEROS;                                                                                    \
        uintptr_t stack[frame] = {0};                                                                                  \
        (void)stack;                                                                                                   \
        s.r0 = (uintptr_t)in;                                                                                         \
        s.r1 = (uintptr_t)wt;                                                                                         \
        s.r2 = (uintptr_t)out;                                                                                        \
        s.r3 = (uintptr_t)aux;
#define K_BEGIN_COPIED(name, frame) K_BEGIN(name, frame)
#define K_END(name, frame) }

@portable@
#endif /* K_ASSEMBLY */
/* Helpers of the plain C operators. Rounding is that of the TFLite reference kernels. */

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
#define KA_AFTER(value, other) __asm__("" : "+r"(value) : "r"(other)) /* and compute it behind another value */
#define KA_TURN(counter) __asm__("" : "+r"(counter) : : "memory") /* and do so behind what is stored */
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

#endif
