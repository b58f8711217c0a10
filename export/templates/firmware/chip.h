/* What differs from family to family: each has its file chip_<family>.c. */
#ifndef CHIP_H
#define CHIP_H

#include <stdint.h>

#include "board.h"
#include "registers.h"

#define FLASH_ACR REGISTER(FLASH_ACR_ADDRESS) /* wait states in the lowest bits, prefetch in bit 8 */

/* Makes the memories ready that the linker script uses; runs before any variable has a value. */
void chip_prepare_memories(void);

/* Brings the core to full speed, flash and supply first. Returns 0, or what did not come about: the clock is then that
 * after reset. */
const char *chip_start_clock(void);

/* Turns caches on. */
void chip_start_caches(void);

/* The core's clock and the UART's, in Hz, as the registers say now: faults report with it at any moment. */
uint32_t chip_clock_hz(void);
uint32_t chip_uart_hz(void);

/* Powers the pin of the UART where its supply has to be turned on. */
void chip_prepare_pin(void);

/* What is special about this silicon, so that figures for the board do not hold; 0 if nothing is. */
const char *chip_remark(void);

/* The instruction cache's counters of hits and misses, where the chip has them: whether it has, their reset, their
 * values. A full counter stays at its largest value. */
int chip_counts_cache(void);
void chip_reset_cache_counts(void);
uint32_t chip_cache_hits(void);
uint32_t chip_cache_misses(void);

#endif
