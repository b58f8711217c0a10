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
@plain@
#endif
