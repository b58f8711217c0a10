/* Access to peripheral registers by address. */
#ifndef REGISTERS_H
#define REGISTERS_H

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

/* Waits until all bits of a mask are set. Returns whether they were before patience ran out (some 10 ms at reset
 * clocks): an oscillator that never starts must not hang the board without a word. */
static inline int wait_for(volatile uint32_t *status, uint32_t mask) {
    for (uint32_t tries = 0; tries < 20000u; tries++) {
        if ((*status & mask) == mask) {
            return 1;
        }
    }
    return 0;
}

#endif
