/* Moves of loads away from their uses cost registers that these loops do not have. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-schedule-insns")
#endif

#include "baseline_kernels.h"

#include <string.h>

#include "baseline_runtime.h"

/* Two int16 in a word, the first in the low half. */
typedef uint32_t pair;

#if defined(__ARM_FEATURE_SIMD32)
static inline int32_t dual_mac(pair a, pair b, int32_t sum)
{
    __asm__("smlad %0, %1, %2, %0" : "+r"(sum) : "r"(a), "r"(b));
    return sum;
}

static inline pair even_bytes(uint32_t bytes)
{
    pair result;
    __asm__("sxtb16 %0, %1" : "=r"(result) : "r"(bytes));
    return result;
}

static inline pair odd_bytes(uint32_t bytes)
{
    pair result;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(result) : "r"(bytes));
    return result;
}

static inline pair add_pairs(pair a, pair b)
{
    pair result;
    __asm__("sadd16 %0, %1, %2" : "=r"(result) : "r"(a), "r"(b));
    return result;
}
#else
static inline int32_t dual_mac(pair a, pair b, int32_t sum)
{
    return sum + (int16_t)a * (int16_t)b + (int16_t)(a >> 16) * (int16_t)(b >> 16);
}

static inline pair even_bytes(uint32_t bytes)
{
    return (uint16_t)(int8_t)bytes | (pair)(uint16_t)(int8_t)(bytes >> 16) << 16;
}

static inline pair odd_bytes(uint32_t bytes)
{
    return even_bytes(bytes >> 8);
}

static inline pair add_pairs(pair a, pair b)
{
    return (uint16_t)(a + b) | ((a >> 16) + (b >> 16)) << 16;
}
#endif

static inline uint32_t word_at(const void *address)
{
    uint32_t word;
    memcpy(&word, address, sizeof word);
    return word;
}

static inline int8_t requantize(const struct requantization *to, int32_t sum, int channel)
{
    int32_t value = ka_multiply(sum, to->mult[channel], to->shift[channel]) + to->zero_point;
    return (int8_t)ka_clamp(value, to->low, to->high);
}

/* The int8 values a window at an output position sees, the zero point where it hangs over the edge. */
static void gather(const struct conv *layer, const int8_t *in, int y, int x, int8_t *values)
{
    const struct window *w = &layer->window;
    int top = y * w->stride_y - w->top, left = x * w->stride_x - w->left;
    int channels = w->in_channels, run = w->kernel_width * channels;
    int whole = w->dilation_x == 1 && left >= 0 && left + w->kernel_width <= w->in_width;
    for (int ky = 0; ky < w->kernel_height; ky++) {
        int row = top + ky * w->dilation_y;
        const int8_t *line = in + row * w->in_width * channels;
        if (row < 0 || row >= w->in_height) {
            memset(values, layer->in_zero_point, (size_t)run);
            values += run;
        } else if (whole) {
            memcpy(values, line + left * channels, (size_t)run);
            values += run;
        } else {
            for (int kx = 0; kx < w->kernel_width; kx++, values += channels) {
                int column = left + kx * w->dilation_x;
                if (column < 0 || column >= w->in_width)
                    memset(values, layer->in_zero_point, (size_t)channels);
                else
                    memcpy(values, line + column * channels, (size_t)channels);
            }
        }
    }
}

/* A column: what a window sees, as int16 less the zero point. Of each four values the second and the third change
 * places, which is the order in which four weights are extended to two pairs without further instructions. */
static void fill_column(const struct conv *layer, const int8_t *in, int y, int x, int16_t *column, int length)
{
    const int8_t *values = (const int8_t *)column + length; /* the column's second half, eaten up from its start */
    gather(layer, in, y, x, (int8_t *)column + length);
    pair offset = (uint16_t)-layer->in_zero_point * 0x10001u;
    int left = length;
    for (; left >= 4; left -= 4, values += 4, column += 4) {
        uint32_t bytes = word_at(values);
        pair pairs[2] = {add_pairs(even_bytes(bytes), offset), add_pairs(odd_bytes(bytes), offset)};
        memcpy(column, pairs, sizeof pairs);
    }
    for (; left > 0; left--)
        *column++ = (int16_t)(*values++ - layer->in_zero_point);
}

static int8_t one_channel(const struct conv *layer, const int16_t *column, int length, int channel)
{
    const int8_t *weights = layer->weights + channel * length;
    int32_t sum = layer->bias[channel];
    int left = length;
    for (; left >= 4; left -= 4, weights += 4, column += 4) {
        uint32_t bytes = word_at(weights);
        sum = dual_mac(even_bytes(bytes), word_at(column), sum);
        sum = dual_mac(odd_bytes(bytes), word_at(column + 2), sum);
    }
    for (; left > 0; left--)
        sum += *weights++ * *column++;
    return requantize(&layer->out, sum, channel);
}

/* All channels of two positions; `stride` from one column to the other. */
__attribute__((noinline)) static void multiply_two(const struct conv *layer, const int16_t *columns, int length, int stride, int8_t *out)
{
    int channels = layer->window.out_channels, channel = 0;
    int8_t *out1 = out + channels;
    for (; channel + 1 < channels; channel += 2) {
        const int8_t *w = layer->weights + channel * length;
        const int16_t *x0 = columns, *x1 = columns + stride;
        int32_t s00 = layer->bias[channel], s01 = s00, s10 = layer->bias[channel + 1], s11 = s10;
        const int16_t *end = columns + (length & ~3);
        for (; x0 < end; w += 4, x0 += 4, x1 += 4) {
            uint32_t bytes0 = word_at(w), bytes1 = word_at(w + length);
            pair w00 = even_bytes(bytes0), w01 = odd_bytes(bytes0);
            pair w10 = even_bytes(bytes1), w11 = odd_bytes(bytes1);
            pair x00 = word_at(x0), x10 = word_at(x1);
            s00 = dual_mac(w00, x00, s00);
            s01 = dual_mac(w00, x10, s01);
            s10 = dual_mac(w10, x00, s10);
            s11 = dual_mac(w10, x10, s11);
            pair x01 = word_at(x0 + 2), x11 = word_at(x1 + 2);
            s00 = dual_mac(w01, x01, s00);
            s01 = dual_mac(w01, x11, s01);
            s10 = dual_mac(w11, x01, s10);
            s11 = dual_mac(w11, x11, s11);
        }
        for (int left = length & 3; left > 0; left--, w++, x0++, x1++) {
            s00 += w[0] * *x0;
            s01 += w[0] * *x1;
            s10 += w[length] * *x0;
            s11 += w[length] * *x1;
        }
        out[channel] = requantize(&layer->out, s00, channel);
        out[channel + 1] = requantize(&layer->out, s10, channel + 1);
        out1[channel] = requantize(&layer->out, s01, channel);
        out1[channel + 1] = requantize(&layer->out, s11, channel + 1);
    }
    if (channel < channels) {
        out[channel] = one_channel(layer, columns, length, channel);
        out1[channel] = one_channel(layer, columns + stride, length, channel);
    }
}

void baseline_conv(const struct conv *layer, const int8_t *in, int16_t *columns, int8_t *out)
{
    const struct window *w = &layer->window;
    int length = w->kernel_height * w->kernel_width * w->in_channels;
    int stride = (length + 1) & ~1;
    int filled = 0;
    for (int y = 0; y < w->out_height; y++) {
        for (int x = 0; x < w->out_width; x++) {
            fill_column(layer, in, y, x, columns + filled * stride, length);
            if (++filled == 2) {
                multiply_two(layer, columns, length, stride, out);
                out += 2 * w->out_channels;
                filled = 0;
            }
        }
    }
    for (int channel = 0; filled && channel < w->out_channels; channel++)
        out[channel] = one_channel(layer, columns, length, channel);
}

void baseline_dense(const struct dense *layer, const int8_t *in, int8_t *out)
{
    pair offset = (uint16_t)-layer->in_zero_point * 0x10001u;
    for (int row = 0; row < layer->outputs; row += 2) {
        int two = row + 1 < layer->outputs; /* else the last row is computed twice */
        const int8_t *w0 = layer->weights + row * layer->inputs, *w1 = two ? w0 + layer->inputs : w0;
        const int8_t *x = in;
        int32_t s0 = layer->bias[row], s1 = layer->bias[row + two];
        int left = layer->inputs;
        for (; left >= 4; left -= 4, w0 += 4, w1 += 4, x += 4) {
            uint32_t values = word_at(x), first = word_at(w0), second = word_at(w1);
            pair even = add_pairs(even_bytes(values), offset), odd = add_pairs(odd_bytes(values), offset);
            s0 = dual_mac(even, even_bytes(first), s0);
            s0 = dual_mac(odd, odd_bytes(first), s0);
            s1 = dual_mac(even, even_bytes(second), s1);
            s1 = dual_mac(odd, odd_bytes(second), s1);
        }
        for (; left > 0; left--) {
            int32_t value = *x++ - layer->in_zero_point;
            s0 += *w0++ * value;
            s1 += *w1++ * value;
        }
        const struct requantization *to = &layer->out;
        for (int i = 0; i <= two; i++) {
            int32_t value = ka_multiply_once(i ? s1 : s0, to->mult[row + i], to->shift[row + i]);
            out[row + i] = (int8_t)ka_clamp(value + to->zero_point, to->low, to->high);
        }
    }
}

/* The part of a window that lies inside the input. */
struct span {
    int start, end;
};

static struct span inside(int position, int stride, int padding, int kernel, int size)
{
    int start = position * stride - padding, end = start + kernel;
    return (struct span){start < 0 ? 0 : start, end > size ? size : end};
}

void baseline_max_pool(const struct pool *layer, const int8_t *in, int8_t *out)
{
    const struct window *w = &layer->window;
    int channels = w->in_channels;
    for (int y = 0; y < w->out_height; y++) {
        struct span rows = inside(y, w->stride_y, w->top, w->kernel_height, w->in_height);
        for (int x = 0; x < w->out_width; x++, out += channels) {
            struct span columns = inside(x, w->stride_x, w->left, w->kernel_width, w->in_width);
            memset(out, -128, (size_t)channels);
            for (int v = rows.start; v < rows.end; v++) {
                for (int u = columns.start; u < columns.end; u++) {
                    const int8_t *pixel = in + (v * w->in_width + u) * channels;
                    for (int c = 0; c < channels; c++)
                        out[c] = pixel[c] > out[c] ? pixel[c] : out[c];
                }
            }
            for (int c = 0; c < channels; c++)
                out[c] = (int8_t)ka_clamp(out[c], layer->low, layer->high);
        }
    }
}

void baseline_average_pool(const struct pool *layer, const int8_t *in, int8_t *out)
{
    const struct window *w = &layer->window;
    int channels = w->in_channels;
    for (int y = 0; y < w->out_height; y++) {
        struct span rows = inside(y, w->stride_y, w->top, w->kernel_height, w->in_height);
        for (int x = 0; x < w->out_width; x++, out += channels) {
            struct span columns = inside(x, w->stride_x, w->left, w->kernel_width, w->in_width);
            int count = (rows.end - rows.start) * (columns.end - columns.start);
            for (int c = 0; c < channels; c++) {
                int32_t sum = 0;
                for (int v = rows.start; v < rows.end; v++)
                    for (int u = columns.start; u < columns.end; u++)
                        sum += in[(v * w->in_width + u) * channels + c];
                int32_t mean = (sum < 0 ? sum - count / 2 : sum + count / 2) / count;
                out[c] = (int8_t)ka_clamp(mean, layer->low, layer->high);
            }
        }
    }
}

static inline int32_t scaled_input(const struct add *layer, int which, int8_t value)
{
    int32_t shifted = (int32_t)((uint32_t)(value - layer->zero_point[which]) << 20);
    return ka_multiply(shifted, layer->mult[which], layer->shift[which]);
}

void baseline_add(const struct add *layer, const int8_t *a, const int8_t *b, int8_t *out)
{
    for (int i = 0; i < layer->count; i++) {
        int32_t sum = scaled_input(layer, 0, a[i]) + scaled_input(layer, 1, b[i]);
        int32_t value = ka_multiply(sum, layer->out_mult, layer->out_shift) + layer->out_zero_point;
        out[i] = (int8_t)ka_clamp(value, layer->low, layer->high);
    }
}

/* 1 / total of a positive Q12.19 value: a Q0.31 factor, and the right shift that makes an 8-bit product. */
static int32_t reciprocal(int32_t total, int *exponent)
{
    int headroom = 0;
    while (((uint32_t)total << headroom) < 0x80000000u)
        headroom++;
    int32_t above_one = (int32_t)(((uint32_t)total << headroom) - 0x80000000u);
    int32_t half = (int32_t)(((int64_t)above_one + 0x80000000) >> 1);
    int32_t x = 1515870810 + ka_high_multiply(half, -1010580540); /* 48/17 - 32/17 half, Q2.29 */
    for (int i = 0; i < 3; i++)
        x += ka_high_multiply(x, (1 << 29) - ka_high_multiply(half, x)) * 4;
    *exponent = 12 - headroom + 31 - 8;
    return x > INT32_MAX / 2 ? INT32_MAX : x * 2;
}

void baseline_softmax(const struct softmax *layer, const int8_t *in, int8_t *out)
{
    for (int row = 0; row < layer->rows; row++, in += layer->columns, out += layer->columns) {
        int most = -128;
        for (int i = 0; i < layer->columns; i++)
            most = in[i] > most ? in[i] : most;
        int32_t total = 0;
        for (int i = 0; i < layer->columns; i++)
            total += ka_shift_right(layer->exp[most - in[i]], 12);
        int exponent;
        int32_t scale = reciprocal(total, &exponent);
        for (int i = 0; i < layer->columns; i++) {
            int32_t value = ka_shift_right(ka_high_multiply(scale, layer->exp[most - in[i]]), exponent) - 128;
            out[i] = (int8_t)(value > 127 ? 127 : value);
        }
    }
}
