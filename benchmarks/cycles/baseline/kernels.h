/* int8 kernels in the style CMSIS-NN made common: shapes are run-time arguments, activations are expanded to int16
 * columns (im2col), two output channels by two positions are computed at a time with dual multiply-accumulates.
 *
 * Tensors are NHWC without the batch. Every kernel gives what TFLite's reference kernels give, bit for bit. */
#ifndef BASELINE_KERNELS_H
#define BASELINE_KERNELS_H

#include <stdint.h>

/* How windows of `kernel_*` elements move over an input; channels of input and output may differ. */
struct window {
    int32_t in_height, in_width, in_channels;
    int32_t out_height, out_width, out_channels;
    int32_t kernel_height, kernel_width;
    int32_t stride_y, stride_x, dilation_y, dilation_x;
    int32_t top, left; /* padding */
};

/* From an accumulator to int8: a multiplier and a shift for each channel, the zero point, the clamp. */
struct requantization {
    const int32_t *mult;
    const int8_t *shift;
    int32_t zero_point, low, high;
};

struct conv {
    struct window window;
    const int8_t *weights; /* [out][kernel y][kernel x][in] */
    const int32_t *bias;
    int32_t in_zero_point;
    struct requantization out;
};

struct dense {
    int32_t inputs, outputs;
    const int8_t *weights; /* [out][in] */
    const int32_t *bias;
    int32_t in_zero_point;
    struct requantization out;
};

struct pool {
    struct window window;
    int32_t low, high;
};

/* out = zero point + M(M1((a - zero point) << 20) + M2((b - zero point) << 20)) */
struct add {
    int32_t count;
    int32_t zero_point[2], mult[2], shift[2];
    int32_t out_mult, out_shift, out_zero_point, low, high;
};

struct softmax {
    int32_t rows, columns;
    const int32_t *exp; /* [256]: Q0.31 exponential of how far an input lies below its row's maximum */
};

/* `columns` holds two columns of kernel height * kernel width * input channels, rounded up to even. */
void baseline_conv(const struct conv *layer, const int8_t *in, int16_t *columns, int8_t *out);
void baseline_dense(const struct dense *layer, const int8_t *in, int8_t *out);
void baseline_max_pool(const struct pool *layer, const int8_t *in, int8_t *out);
void baseline_average_pool(const struct pool *layer, const int8_t *in, int8_t *out);
void baseline_add(const struct add *layer, const int8_t *a, const int8_t *b, int8_t *out);
void baseline_softmax(const struct softmax *layer, const int8_t *in, int8_t *out);

#endif
