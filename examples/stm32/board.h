/* What a board must provide. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

extern const char board_name[];
extern const uint32_t board_full_clock_hz;

/* Brings core and flash to full speed, turns the instruction cache on, and readies the UART (115200 baud, 8N1).
 * Returns the core clock in Hz: less than board_full_clock_hz where the PLL did not start. */
uint32_t board_start(void);

/* Sends a character, waiting until there is room. */
void board_uart_put(char character);

#endif
