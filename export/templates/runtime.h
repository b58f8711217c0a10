/* Runtime of the generated kernels: the kernel macros, and small helpers for the plain C operators.
 *
 * A kernel is a list of K_ macros. On an Arm core with the DSP extension each expands to the text of one or a few
 * instructions with fixed registers, and the list to one file-scope assembly function, so that what was scheduled is
 * what runs, whatever compiler and optimization level. Everywhere else the same list expands to plain C statements.
 * Define K_PORTABLE to use the C statements on Arm too.
 *
 * Registers: in (r0) input pointer, wt (r1) stream of constants, w0 w1 (r2 r3) weights, x0 x1 (r4 r5) operand pairs and
 * temporaries, a0-a7 (r6-r12 lr) accumulators. What is loaded most lies low, where instructions take two bytes.
 */
#ifndef KA_RUNTIME_H
#define KA_RUNTIME_H

#include <stdint.h>
#include <string.h>

#if defined(__thumb2__) && defined(__ARM_FEATURE_DSP) && !defined(K_PORTABLE)
#define K_ASSEMBLY 1
#else
#define K_ASSEMBLY 0
#endif

/* in: operands. wt: the stream of constants, or a second operand. out: the first element to write. aux: a table. */
typedef void ka_kernel(const void *in, const void *wt, void *out, const void *aux);

#if K_ASSEMBLY

#define K_in "r0"
#define K_wt "r1"
#define K_w0 "r2"
#define K_w1 "r3"
#define K_x0 "r4"
#define K_x1 "r5"
#define K_a0 "r6"
#define K_a1 "r7"
#define K_a2 "r8"
#define K_a3 "r9"
#define K_a4 "r10"
#define K_a5 "r11"
#define K_a6 "r12"
#define K_a7 "lr"
#define K_to "lr" /* elementwise kernels hold the output pointer here, and the table's address in x1 */
/* Stack slots: 0-15 kept maxima, then */
#define K_out "[sp, #16]"
#define K_last "[sp, #20]"
#define K_rows "[sp, #24]"
#define K_count "[sp, #28]"
#define K_outer "[sp, #32]"
#define K_half "[sp, #36]"
#define K_table "[sp, #40]"

#define K_DECLARE(name) ka_kernel name;
#define K_BEGIN(name)                                                                                                 \
    __asm__(".pushsection .text." #name ",\"ax\",%progbits\n.syntax unified\n.thumb\n.balign 4\n.global " #name       \
            "\n.type " #name ", %function\n.thumb_func\n" #name ":\npush {r4-r11, lr}\nsub sp, #44\nstr r2, " K_out "\n"
#define K_END(name) "add sp, #44\npop {r4-r11, pc}\n.size " #name ", . - " #name "\n.popsection\n");
#define K_LABEL(n) #n ":\n"

#define K_X(x, at) "ldr.w " K_##x ", [r0, #" #at "]\n"
#define K_LOAD1(a) "ldr " K_##a ", [r1], #4\n"
#define K_LOAD2(a, b) "ldmia r1!, {" K_##a ", " K_##b "}\n"
#define K_LOAD3(a, b, c) "ldmia r1!, {" K_##a ", " K_##b ", " K_##c "}\n"
#define K_LOAD4(a, b, c, d) "ldmia r1!, {" K_##a ", " K_##b ", " K_##c ", " K_##d "}\n"
#define K_COPY(to, from) "mov " K_##to ", " K_##from "\n"
#define K_MAC(a, x, w) "smlad " K_##a ", " K_##x ", " K_##w ", " K_##a "\n"
#define K_EVEN(x) "sxtb16 " K_##x ", " K_##x "\n"
#define K_ODD(x) "sxtb16 " K_##x ", " K_##x ", ror #8\n"
#define K_MAC_LOW(a, x, w) "smlabb " K_##a ", " K_##x ", " K_##w ", " K_##a "\n"
#define K_MAC_HIGH(a, x, w) "smlatt " K_##a ", " K_##x ", " K_##w ", " K_##a "\n"
#define K_ADD(p, n) "addw " K_##p ", " K_##p ", #" #n "\n"
#define K_SUB(p, n) "subw " K_##p ", " K_##p ", #" #n "\n"
#define K_ADD_FAR(p, n) "movw r4, #((" #n ") & 0xffff)\nmovt r4, #(((" #n ") >> 16) & 0xffff)\nadd " K_##p ", r4\n"
#define K_SUB_FAR(p, n) "movw r4, #((" #n ") & 0xffff)\nmovt r4, #(((" #n ") >> 16) & 0xffff)\nsub " K_##p ", r4\n"

#define K_SCALE(a) "smmlar " K_##a ", " K_##a ", r2, r3\n"
#define K_SCALE_SIGNED(a) "add r5, r3, " K_##a ", asr #31\nsmmlar " K_##a ", " K_##a ", r2, r5\n"
#define K_SCALE_FLOOR(a) "smmla " K_##a ", " K_##a ", r2, r3\n"
#define K_SHIFT(a) "asr " K_##a ", " K_##a ", r5\n"
#define K_SATURATE(a, n) "ssat " K_##a ", #8, " K_##a ", asr #" #n "\n"
#define K_SATURATE0(a) "ssat " K_##a ", #8, " K_##a "\n"
#define K_AT_LEAST(a, n) "cmp " K_##a ", #" #n "\nit lt\nmovlt " K_##a ", #" #n "\n"
#define K_AT_MOST(a, n) "cmp " K_##a ", #" #n "\nit gt\nmovgt " K_##a ", #" #n "\n"
#define K_MAX(a, b) "cmp " K_##a ", " K_##b "\nit lt\nmovlt " K_##a ", " K_##b "\n"
#define K_KEEP4(a, b, c, d) "stmia sp, {" K_##a ", " K_##b ", " K_##c ", " K_##d "}\n"
#define K_KEPT4(a, b, c, d) "ldmia sp, {" K_##a ", " K_##b ", " K_##c ", " K_##d "}\n"
#define K_KEEP1(i, a) "str " K_##a ", [sp, #4*" #i "]\n"
#define K_KEPT1(i, a) "ldr " K_##a ", [sp, #4*" #i "]\n"

#define K_OUT() "ldr r4, " K_out "\n"
#define K_STORE16(a, at) "strh.w " K_##a ", [r4, #" #at "]\n"
#define K_STORE8(a, at) "strb.w " K_##a ", [r4, #" #at "]\n"
#define K_OUT_ADD(n) "addw r4, r4, #" #n "\nstr r4, " K_out "\n"
#define K_OUT_SUB(n) "subw r4, r4, #" #n "\nstr r4, " K_out "\n"
#define K_OUT_ADD_FAR(n)                                                                                              \
    "movw r5, #((" #n ") & 0xffff)\nmovt r5, #(((" #n ") >> 16) & 0xffff)\nadd r4, r5\nstr r4, " K_out "\n"

/* A table beside a convolution's outputs, its address in a slot and, when needed, in r5; two words follow it. */
#define K_SAVE_TABLE() "str r3, " K_table "\n"
#define K_TABLE() "ldr r5, " K_table "\n"
#define K_TABLE_END(a, b) "ldrd " K_##a ", " K_##b ", [r5, #512]\n"
#define K_READ8(a, at) "ldrsb " K_##a ", [r4, #" #at "]\n"
#define K_READ16(a, at) "ldrsh " K_##a ", [r4, #" #at "]\n"

#define K_SET(slot, n) "movw r4, #" #n "\nstr r4, " K_##slot "\n"
#define K_AGAIN(slot, label) "ldr r4, " K_##slot "\nsubs r4, #1\nstr r4, " K_##slot "\nbne.w " #label "b\n"
#define K_SECOND(label) "ldr r4, " K_half "\nsubs r4, #1\nstr r4, " K_half "\nbeq.w " #label "f\n"
#define K_GOTO(label) "b.w " #label "b\n"
#define K_LAST(n) "addw r4, r0, #" #n "\nstr r4, " K_last "\n"
#define K_LAST_FAR(n) "movw r4, #((" #n ") & 0xffff)\nmovt r4, #(((" #n ") >> 16) & 0xffff)\nadd r4, r0\nstr r4, " K_last "\n"
#define K_NEXT(label) "ldr r4, " K_last "\ncmp r0, r4\nbls.w " #label "b\n"
#define K_PAST(n, label) "subw r4, r0, #" #n "\nldr r5, " K_last "\ncmp r4, r5\nbne.w " #label "f\n"


#define K_OPEN() "mov lr, r2\nmov r5, r3\n"
#define K_SET32(a, n) "movw " K_##a ", #((" #n ") & 0xffff)\nmovt " K_##a ", #(((" #n ") >> 16) & 0xffff)\n"
#define K_GET8(a, p, at) "ldrsb " K_##a ", [" K_##p ", #" #at "]\n"
#define K_GET16(a, p, at) "ldrsh " K_##a ", [" K_##p ", #" #at "]\n"
#define K_PUT8(a, at) "strb " K_##a ", [lr, #" #at "]\n"
#define K_PUT16(a, at) "strh " K_##a ", [lr, #" #at "]\n"
#define K_PUT32(a, at) "str " K_##a ", [lr, #" #at "]\n"
#define K_LOOK8(a) "ldrsb " K_##a ", [r5, " K_##a "]\n"
#define K_LOOK32(a) "ldr " K_##a ", [r5, " K_##a ", lsl #2]\n"
#define K_PLUS(a, b) "add " K_##a ", " K_##a ", " K_##b "\n"
#define K_PLUS_LEFT(a, b, n) "add " K_##a ", " K_##a ", " K_##b ", lsl #" #n "\n"
#define K_LEFT_PLUS(a, b, n) "add " K_##a ", " K_##b ", " K_##a ", lsl #" #n "\n"
#define K_LEFT(a, n) "lsl " K_##a ", " K_##a ", #" #n "\n"
#define K_SIGN(t, a) "add " K_##t ", r3, " K_##a ", asr #31\n"
#define K_SCALE_BY(a, t) "smmlar " K_##a ", " K_##a ", r2, " K_##t "\n"
/* a = a / n, n's reciprocal 2^31 / n in w0 and n / 2 * 2 in w1, ties away from zero. */
#define K_DIVIDE(a, t)                                                                                                \
    "asr " K_##t ", " K_##a ", #31\neor " K_##a ", " K_##a ", " K_##t "\nsub " K_##a ", " K_##a ", " K_##t            \
    "\nadd " K_##a ", r3, " K_##a ", lsl #1\nsmmul " K_##a ", " K_##a ", r2\neor " K_##a ", " K_##a ", " K_##t      \
    "\nsub " K_##a ", " K_##a ", " K_##t "\n"
#define K_FROM(a, b) "sub " K_##a ", " K_##b ", " K_##a "\n"
#define K_MINUS(a, n) "subw " K_##a ", " K_##a ", #" #n "\n"
#define K_RIGHT(a, n) "lsr " K_##a ", " K_##a ", " K_##n "\n"
#define K_TALLY(t, a) "smmlar " K_##t ", " K_##a ", r2, " K_##t "\n"
/* Of a total in Q12.19: w0 = 2 (1 / total - 1) in Q0.31, n the shift of a share, w1 half of 2^n. Three steps of Newton's. */
#define K_REFINE(t, x, e)                                                                                             \
    "smmulr " K_##e ", " K_##t ", " K_##x "\nadd " K_##e ", " K_##e ", " K_##x "\nrsb " K_##e ", " K_##e             \
    ", #0x20000000\nlsl " K_##e ", " K_##e ", #1\nsmmulr " K_##e ", " K_##x ", " K_##e "\nadd " K_##x ", " K_##x      \
    ", " K_##e ", lsl #2\n"
#define K_RECIPROCAL(t, n, x, e)                                                                                      \
    "clz " K_##n ", " K_##t "\nlsl " K_##t ", " K_##t ", " K_##n "\nlsr " K_##x ", " K_##t ", #1\nbic " K_##t          \
    ", " K_##t ", #1\n" K_SET32(e, -2021161080) "smmulr " K_##x ", " K_##x ", " K_##e "\n" K_SET32(e, 1515870810)     \
    "add " K_##x ", " K_##x ", " K_##e "\n" K_REFINE(t, x, e) K_REFINE(t, x, e) K_REFINE(t, x, e)                     \
    "qadd " K_##x ", " K_##x ", " K_##x "\nlsl r2, " K_##x ", #1\nrsb " K_##n ", " K_##n                              \
    ", #35\nmov.w r3, #1\nlsl r3, r3, " K_##n "\nlsr r3, r3, #1\n"

#else /* the same in C */

typedef struct {
    const uint8_t *in, *wt, *aux, *last;
    uint8_t *out;
    uint32_t a0, a1, a2, a3, a4, a5, a6, a7, x0, x1, w0, w1;
    uint32_t keep[4];
    int32_t rows, count, outer, half;
} ka_state;

static inline uint32_t ka_load(const uint8_t *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

/* Kept out of line: with thousands of these in one block, compilers take minutes for what calls do in seconds. */
#if defined(__GNUC__)
__attribute__((noinline, unused)) static uint32_t ka_smlad(uint32_t a, uint32_t x, uint32_t w)
#else
static inline uint32_t ka_smlad(uint32_t a, uint32_t x, uint32_t w)
#endif
{
    int32_t low = (int32_t)(int16_t)(uint16_t)x * (int16_t)(uint16_t)w;
    int32_t high = (int32_t)(int16_t)(uint16_t)(x >> 16) * (int16_t)(uint16_t)(w >> 16);
    return a + (uint32_t)low + (uint32_t)high;
}

/* The high word of a * w + (c << 32) + round, as SMMLA (round 0) and SMMLAR (round 2^31) give it. */
static inline uint32_t ka_smmla(uint32_t a, uint32_t w, uint32_t c, uint32_t round)
{
    int64_t product = (int64_t)(int32_t)a * (int32_t)w;
    return (uint32_t)(((uint64_t)product + ((uint64_t)c << 32) + round) >> 32);
}

static inline uint32_t ka_asr(uint32_t a, uint32_t n)
{
    return (uint32_t)((int32_t)a >> n);
}

static inline uint32_t ka_ssat8(uint32_t a)
{
    int32_t v = (int32_t)a;
    return (uint32_t)(v < -128 ? -128 : v > 127 ? 127 : v);
}

static inline uint32_t ka_max(uint32_t a, uint32_t b)
{
    return (int32_t)a < (int32_t)b ? b : a;
}

/* Bytes 0 and 2, sign-extended to halfwords. */
static inline uint32_t ka_widen(uint32_t word)
{
    uint32_t low = (uint32_t)(int8_t)(uint8_t)word & 0xffff;
    return low | (uint32_t)(int8_t)(uint8_t)(word >> 16) << 16;
}

static inline uint32_t ka_load16(const uint8_t *at)
{
    int16_t half;
    memcpy(&half, at, sizeof half);
    return (uint32_t)half;
}

static inline void ka_store16(uint8_t *at, uint32_t a)
{
    uint16_t half = (uint16_t)a;
    memcpy(at, &half, sizeof half);
}

#define K_DECLARE(name) ka_kernel name;
#define K_BEGIN(name)                                                                                                 \
    void name(const void *in_, const void *wt_, void *out_, const void *aux_)                                         \
    {                                                                                                                 \
        ka_state s = {0};                                                                                             \
        s.in = (const uint8_t *)in_;                                                                                  \
        s.wt = (const uint8_t *)wt_;                                                                                  \
        s.out = (uint8_t *)out_;                                                                                      \
        s.aux = (const uint8_t *)aux_;
#define K_END(name) }
#define K_LABEL(n) label_##n:;

#define K_X(x, at) s.x = ka_load(s.in + (at));
#define K_LOAD1(a) s.a = ka_load(s.wt), s.wt += 4;
#define K_LOAD2(a, b) K_LOAD1(a) K_LOAD1(b)
#define K_LOAD3(a, b, c) K_LOAD2(a, b) K_LOAD1(c)
#define K_LOAD4(a, b, c, d) K_LOAD2(a, b) K_LOAD2(c, d)
#define K_COPY(to, from) s.to = s.from;
#define K_MAC(a, x, w) s.a = ka_smlad(s.a, s.x, s.w);
#define K_EVEN(x) s.x = ka_widen(s.x);
#define K_ODD(x) s.x = ka_widen(s.x >> 8);
#define K_MAC_LOW(a, x, w) s.a = ka_smlad(s.a, s.x & 0xffff, s.w);
#define K_MAC_HIGH(a, x, w) s.a = ka_smlad(s.a, s.x & 0xffff0000, s.w);
#define K_ADD_in(n) s.in += (n);
#define K_ADD_wt(n) s.wt += (n);
#define K_ADD_to(n) s.out += (n);
#define K_SUB_in(n) s.in -= (n);
#define K_SUB_wt(n) s.wt -= (n);
#define K_SUB_to(n) s.out -= (n);
#define K_ADD(p, n) K_ADD_##p(n)
#define K_SUB(p, n) K_SUB_##p(n)
#define K_ADD_FAR(p, n) K_ADD_##p(n)
#define K_SUB_FAR(p, n) K_SUB_##p(n)

#define K_SCALE(a) s.a = ka_smmla(s.a, s.w0, s.w1, 0x80000000u);
#define K_SCALE_SIGNED(a) s.a = ka_smmla(s.a, s.w0, s.w1 + ka_asr(s.a, 31), 0x80000000u);
#define K_SCALE_FLOOR(a) s.a = ka_smmla(s.a, s.w0, s.w1, 0);
#define K_SHIFT(a) s.a = ka_asr(s.a, s.x1);
#define K_SATURATE(a, n) s.a = ka_ssat8(ka_asr(s.a, n));
#define K_SATURATE0(a) s.a = ka_ssat8(s.a);
#define K_AT_LEAST(a, n) s.a = ka_max(s.a, (uint32_t)(n));
#define K_AT_MOST(a, n) s.a = (int32_t)s.a > (n) ? (uint32_t)(n) : s.a;
#define K_MAX(a, b) s.a = ka_max(s.a, s.b);
#define K_KEEP4(a, b, c, d) K_KEEP1(0, a) K_KEEP1(1, b) K_KEEP1(2, c) K_KEEP1(3, d)
#define K_KEPT4(a, b, c, d) K_KEPT1(0, a) K_KEPT1(1, b) K_KEPT1(2, c) K_KEPT1(3, d)
#define K_KEEP1(i, a) s.keep[i] = s.a;
#define K_KEPT1(i, a) s.a = s.keep[i];

#define K_OUT()
#define K_STORE16(a, at) ka_store16(s.out + (at), s.a);
#define K_STORE8(a, at) s.out[at] = (uint8_t)s.a;
#define K_OUT_ADD(n) s.out += (n);
#define K_OUT_SUB(n) s.out -= (n);
#define K_OUT_ADD_FAR(n) s.out += (n);

#define K_SAVE_TABLE()
#define K_TABLE()
#define K_TABLE_END(a, b) s.a = ka_load(s.aux + 512), s.b = ka_load(s.aux + 516);
#define K_READ8(a, at) s.a = (uint32_t)(int8_t)s.out[at];
#define K_READ16(a, at) s.a = ka_load16(s.out + (at));

#define K_SET(slot, n) s.slot = (n);
#define K_AGAIN(slot, label) if (--s.slot != 0) goto label_##label;
#define K_SECOND(label) if (--s.half == 0) goto label_##label;
#define K_GOTO(label) goto label_##label;
#define K_LAST(n) s.last = s.in + (n);
#define K_LAST_FAR(n) s.last = s.in + (n);
#define K_NEXT(label) if (s.in <= s.last) goto label_##label;
#define K_PAST(n, label) if (s.in - (n) != s.last) goto label_##label;

#define K_OPEN()
#define K_SET32(a, n) s.a = (uint32_t)(n);
#define K_GET8(a, p, at) s.a = (uint32_t)(int8_t)s.p[at];
#define K_GET16(a, p, at) s.a = ka_load16(s.p + (at));
#define K_PUT8(a, at) s.out[at] = (uint8_t)s.a;
#define K_PUT16(a, at) ka_store16(s.out + (at), s.a);
#define K_PUT32(a, at) memcpy(s.out + (at), &s.a, 4);
#define K_LOOK8(a) s.a = (uint32_t)(int8_t)s.aux[(int32_t)s.a];
#define K_LOOK32(a) s.a = ka_load(s.aux + 4 * (int32_t)s.a);
#define K_PLUS(a, b) s.a += s.b;
#define K_PLUS_LEFT(a, b, n) s.a += s.b << (n);
#define K_LEFT_PLUS(a, b, n) s.a = s.b + (s.a << (n));
#define K_LEFT(a, n) s.a <<= (n);
#define K_SIGN(t, a) s.t = s.w1 + ka_asr(s.a, 31);
#define K_SCALE_BY(a, t) s.a = ka_smmla(s.a, s.w0, s.t, 0x80000000u);
#define K_DIVIDE(a, t)                                                                                                \
    s.t = ka_asr(s.a, 31);                                                                                            \
    s.a = ((ka_smmla(s.w1 + (((s.a ^ s.t) - s.t) << 1), s.w0, 0, 0)) ^ s.t) - s.t;
#define K_FROM(a, b) s.a = s.b - s.a;
#define K_MINUS(a, n) s.a -= (n);
#define K_RIGHT(a, n) s.a >>= s.n;
#define K_TALLY(t, a) s.t = ka_smmla(s.a, s.w0, s.t, 0x80000000u);
#define K_REFINE(t, x, e)                                                                                             \
    s.e = ((1u << 29) - ka_smmla(s.x, s.t, s.x, 0x80000000u)) << 1;                                                   \
    s.x += ka_smmla(s.e, s.x, 0, 0x80000000u) << 2;
#define K_RECIPROCAL(t, n, x, e)                                                                                      \
    for (s.n = 0; (s.t & 0x80000000u) == 0; s.n++)                                                                    \
        s.t <<= 1;                                                                                                    \
    s.x = 1515870810u + ka_smmla(s.t >> 1, (uint32_t)-2021161080, 0, 0x80000000u);                                    \
    s.t &= ~1u;                                                                                                       \
    K_REFINE(t, x, e) K_REFINE(t, x, e) K_REFINE(t, x, e)                                                             \
    s.w0 = (s.x > 0x3fffffff ? 0x7fffffff : s.x << 1) << 1;                                                           \
    s.n = 35 - s.n;                                                                                                   \
    s.w1 = 1u << s.n >> 1;

#endif /* K_ASSEMBLY */
/* Helpers of the plain C operators. Rounding is that of the TFLite reference kernels. */

/* a * b / 2^31, rounded. */
static inline int32_t ka_high_multiply(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + (1 << 30)) >> 31);
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

/* x * mult * 2^(shift - 31) with one rounding. */
static inline int32_t ka_multiply_once(int32_t x, int32_t mult, int shift)
{
    int total = 31 - shift;
    return (int32_t)(((int64_t)x * mult + ((int64_t)1 << (total - 1))) >> total);
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

/* Fills the border of a buffer with the zero point. Counts are elements of a row, rows, and elements left and right. */
#define KA_BORDER(type)                                                                                               \
    static inline void ka_border_##type(type##_t *at, int rows, int row, int top, int bottom, int left, int right,    \
                                        type##_t zero_point)                                                          \
    {                                                                                                                 \
        int y, i;                                                                                                     \
        for (i = 0; i < top * row; i++)                                                                               \
            *at++ = zero_point;                                                                                       \
        for (y = top; y < rows - bottom; y++) {                                                                       \
            for (i = 0; i < left; i++)                                                                                \
                *at++ = zero_point;                                                                                   \
            at += row - left - right;                                                                                 \
            for (i = 0; i < right; i++)                                                                               \
                *at++ = zero_point;                                                                                   \
        }                                                                                                             \
        for (i = 0; i < bottom * row; i++)                                                                            \
            *at++ = zero_point;                                                                                       \
    }
KA_BORDER(int8)
KA_BORDER(int16)

#endif
