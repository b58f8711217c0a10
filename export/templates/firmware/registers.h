/* Access to peripheral registers by address. */
#ifndef REGISTERS_H
#define REGISTERS_H

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

/* Waits until the bits of a mask have a value. Returns whether they had before patience ran out (some 10 ms at reset
 * clocks): an oscillator that never starts must not hang the board without a word. */
static inline int wait_for(volatile uint32_t *status, uint32_t mask, uint32_t value)
{
    for (uint32_t tries = 0; tries < 20000u; tries++) {
        if ((*status & mask) == value) {
            return 1;
        }
    }
    return 0;
}

/* Gives the bits of a mask a value, and waits until they read back: a setting that has to act before the next step. */
static inline int change(volatile uint32_t *where, uint32_t mask, uint32_t value)
{
    *where = (*where & ~mask) | value;
    return wait_for(where, mask, value);
}

/* Turns a peripheral's clock on. The read lets it arrive before the first access. */
static inline void enable(volatile uint32_t *where, uint32_t bits)
{
    *where |= bits;
    (void)*where;
}

/* Lets all writes arrive, and refetches the instructions that follow. */
static inline void barrier(void)
{
    __asm__ volatile("dsb\nisb" ::: "memory");
}

#endif
