/* The network's names and sizes, for firmware that is the same for every network. */
#ifndef NETWORK_H
#define NETWORK_H

#include <stdint.h>

@defines@
/* Runs one inference on bytes of all inputs and outputs. Returns 0. */
int network_run(const uint8_t *input, uint8_t *output);

#endif
