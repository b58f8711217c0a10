/* Inputs, and the output bytes that TFLite's reference kernels give for them. */
#ifndef SAMPLES_H
#define SAMPLES_H

#include <stdint.h>

#include "network.h"

extern const uint8_t sample_inputs[SAMPLES][INPUT_BYTES];
extern const uint8_t sample_outputs[SAMPLES][OUTPUT_BYTES];

#endif
