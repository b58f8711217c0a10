/* STM32H5, from its internal oscillator, 32 MHz after reset, with TrustZone off as delivered. Registers and their order:
 * ST RM0481. */
#include "board.h"
#include "chip.h"
#include "icache.h"
#include "registers.h"

#define RCC_CR REGISTER(0x44020C00)
#define RCC_CFGR1 REGISTER(0x44020C1C)
#define RCC_PLL1CFGR REGISTER(0x44020C28)
#define RCC_PLL1DIVR REGISTER(0x44020C34)
#define PWR_VOSCR REGISTER(0x44020810)
#define PWR_VOSSR REGISTER(0x44020814)

void chip_prepare_memories(void)
{
}

const char *chip_start_clock(void)
{
    PWR_VOSCR |= 3u << 4; /* VOS0 */
    if (!wait_for(&PWR_VOSSR, 7u << 13 | 1u << 3, 7u << 13 | 1u << 3)) { /* ACTVOS, ACTVOSRDY, VOSRDY */
        return "the supply did not reach VOS0";
    }
    RCC_PLL1CFGR = 1u | 1u << 2 | PLL_M << 8 | 1u << 16; /* HSI; input of 2 to 4 MHz; output P */
    RCC_PLL1DIVR = (PLL_N - 1u) | (PLL_OUT - 1u) << 9 | 1u << 16 | 1u << 24;
    RCC_CR |= 1u << 24; /* PLL1ON */
    if (!wait_for(&RCC_CR, 1u << 25, 1u << 25)) {
        return "the PLL did not start";
    }
    /* WRHIGHFREQ: 2 above 168 MHz */
    if (!change(&FLASH_ACR, 0x13Fu, FLASH_LATENCY | 2u << 4 | FLASH_PREFETCH << 8)) {
        return "the flash did not take its wait states";
    }
    RCC_CFGR1 |= 3u; /* system clock: PLL1 P */
    return wait_for(&RCC_CFGR1, 3u << 3, 3u << 3) ? 0 : "the core did not switch to the PLL";
}

uint32_t chip_clock_hz(void)
{
    return (RCC_CFGR1 >> 3 & 3u) == 3u ? BOARD_CLOCK_HZ : BOARD_RESET_HZ;
}

uint32_t chip_uart_hz(void)
{
    return chip_clock_hz();
}

void chip_prepare_pin(void)
{
}

const char *chip_remark(void)
{
    return 0;
}
