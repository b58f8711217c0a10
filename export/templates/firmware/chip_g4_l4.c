/* STM32G4, from its internal 16 MHz oscillator, and STM32L4+, from its internal 4 MHz one. Registers and their order: ST
 * RM0440 and RM0432, dynamic voltage scaling to range 1 boost. */
#include "board.h"
#include "chip.h"
#include "no_monitors.h"
#include "registers.h"

#define RCC_CR REGISTER(0x40021000)
#define RCC_CFGR REGISTER(0x40021008)
#define RCC_PLLCFGR REGISTER(0x4002100C)
#define RCC_APB1ENR1 REGISTER(0x40021058)
#define FLASH_OPTR REGISTER(0x40022020)
#define PWR_CR1 REGISTER(0x40007000)
#define PWR_CR2 REGISTER(0x40007004)
#define PWR_SR2 REGISTER(0x40007014)
#define PWR_CR5 REGISTER(0x40007080)

#if FAMILY_L4
#define PLL_SOURCE 1u /* MSI */
#else
#define PLL_SOURCE 2u /* HSI16 */
#endif

void chip_prepare_memories(void)
{
}

const char *chip_start_clock(void)
{
    enable(&RCC_APB1ENR1, 1u << 28); /* PWR */
    if (!change(&PWR_CR1, 3u << 9, 1u << 9) || !wait_for(&PWR_SR2, 1u << 10, 0)) {
        return "the supply did not reach range 1";
    }
    if (!change(&RCC_CFGR, 0xFu << 4, 8u << 4)) { /* the bus at half the clock while the load jumps */
        return "the bus did not slow down";
    }
    if (!change(&PWR_CR5, 1u << 8, 0)) { /* R1MODE: boost */
        return "range 1 was not boosted";
    }
    RCC_PLLCFGR = PLL_SOURCE | (PLL_M - 1u) << 4 | PLL_N << 8 | 1u << 24 | (PLL_OUT / 2u - 1u) << 25;
    RCC_CR |= 1u << 24; /* PLLON */
    if (!wait_for(&RCC_CR, 1u << 25, 1u << 25)) {
        return "the PLL did not start";
    }
    if (!change(&FLASH_ACR, 0x70Fu, FLASH_LATENCY | FLASH_PREFETCH << 8 | 3u << 9)) { /* ICEN, DCEN */
        return "the flash did not take its wait states";
    }
    RCC_CFGR |= 3u; /* system clock: PLL */
    if (!wait_for(&RCC_CFGR, 3u << 2, 3u << 2)) {
        return "the core did not switch to the PLL";
    }
    for (volatile uint32_t turns = 0; turns < 100u; turns++) { /* more than the 1 us that the manuals ask for */
    }
    return change(&RCC_CFGR, 0xFu << 4, 0) ? 0 : "the bus did not reach full speed";
}

void chip_start_caches(void)
{
    /* they are on since the flash has its wait states */
}

uint32_t chip_clock_hz(void)
{
    uint32_t clock = (RCC_CFGR >> 2 & 3u) == 3u ? BOARD_CLOCK_HZ : BOARD_RESET_HZ;
    return (RCC_CFGR >> 4 & 0xFu) == 8u ? clock / 2u : clock;
}

uint32_t chip_uart_hz(void)
{
    return chip_clock_hz();
}

void chip_prepare_pin(void)
{
#if PIN_ON_VDDIO2
    enable(&RCC_APB1ENR1, 1u << 28);
    (void)change(&PWR_CR2, 1u << 9, 1u << 9); /* IOSV: the supply of port G is valid */
#endif
}

const char *chip_remark(void)
{
    return FLASH_OPTR >> 22 & 1u ? 0 : "DBANK is off: a read of the flash gives 128 bits, not 64";
}
