/* STM32U5, from its internal 4 MHz oscillator, with TrustZone off as delivered. Registers and their order: ST RM0456. */
#include "board.h"
#include "chip.h"
#include "icache.h"
#include "registers.h"

#define RCC_CR REGISTER(0x46020C00)
#define RCC_CFGR1 REGISTER(0x46020C1C)
#define RCC_PLL1CFGR REGISTER(0x46020C28)
#define RCC_PLL1DIVR REGISTER(0x46020C34)
#define RCC_AHB3ENR REGISTER(0x46020C94)
#define PWR_VOSR REGISTER(0x4602080C)
#define PWR_SVMSR REGISTER(0x4602083C)

void chip_prepare_memories(void)
{
}

const char *chip_start_clock(void)
{
    enable(&RCC_AHB3ENR, 1u << 2); /* PWR */
    /* Source: MSIS, which also clocks the supply booster, undivided; output R alone. */
    RCC_PLL1CFGR = 1u | (PLL_M - 1u) << 8 | 1u << 18;
    RCC_PLL1DIVR = (PLL_N - 1u) | 1u << 9 | 1u << 16 | (PLL_OUT - 1u) << 24;
    PWR_VOSR |= 3u << 16; /* range 1 */
    if (!wait_for(&PWR_VOSR, 1u << 15, 1u << 15) || !wait_for(&PWR_SVMSR, 7u << 15, 7u << 15)) { /* ACTVOS, ACTVOSRDY */
        return "the supply did not reach range 1";
    }
    PWR_VOSR |= 1u << 18; /* the booster, which more than 55 MHz need */
    if (!wait_for(&PWR_VOSR, 1u << 14, 1u << 14)) {
        return "the supply's booster did not start";
    }
    RCC_CR |= 1u << 24; /* PLL1ON */
    if (!wait_for(&RCC_CR, 1u << 25, 1u << 25)) {
        return "the PLL did not start";
    }
    if (!change(&FLASH_ACR, 0x10Fu, FLASH_LATENCY | FLASH_PREFETCH << 8)) {
        return "the flash did not take its wait states";
    }
    RCC_CFGR1 |= 3u; /* system clock: PLL1 R */
    return wait_for(&RCC_CFGR1, 3u << 2, 3u << 2) ? 0 : "the core did not switch to the PLL";
}

uint32_t chip_clock_hz(void)
{
    return (RCC_CFGR1 >> 2 & 3u) == 3u ? BOARD_CLOCK_HZ : BOARD_RESET_HZ;
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
