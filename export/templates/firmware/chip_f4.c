/* STM32F4, from its internal 16 MHz oscillator, so that any crystal will do. Registers and their order: ST RM0090 (F405,
 * F407, F429), RM0383 (F411), RM0390 (F446). */
#include "board.h"
#include "chip.h"
#include "no_monitors.h"
#include "registers.h"

#define RCC_CR REGISTER(0x40023800)
#define RCC_PLLCFGR REGISTER(0x40023804)
#define RCC_CFGR REGISTER(0x40023808)
#define RCC_APB1ENR REGISTER(0x40023840)
#define RCC_APB2ENR REGISTER(0x40023844)
#define PWR_CR REGISTER(0x40007000)
#define PWR_CSR REGISTER(0x40007004)
#define SYSCFG_MEMRMP REGISTER(0x40013800)
#define DBGMCU_IDCODE REGISTER(0xE0042000)

static uint32_t device(void)
{
    return DBGMCU_IDCODE & 0xFFFu;
}

/* Revision A of F405 and F407 hangs with prefetch on (ST ES0182). It calls itself 0x413 with revision 0x1000, or by the
 * number of the STM32F2, whose core is another. */
static int is_revision_a(void)
{
    return device() == 0x411u || (device() == 0x413u && DBGMCU_IDCODE >> 16 == 0x1000u);
}

void chip_prepare_memories(void)
{
#if COPIES_AT_ZERO
    enable(&RCC_APB2ENR, 1u << 14);             /* SYSCFG */
    (void)change(&SYSCFG_MEMRMP, 3u, 3u);       /* SRAM1 at 0, where code is fetched from it over the ICode bus */
#endif
}

const char *chip_start_clock(void)
{
    enable(&RCC_APB1ENR, 1u << 28); /* PWR */
    /* VOS: scale 1. F405 and F407 have one bit of it. Ready once the PLL runs. */
    PWR_CR |= (device() == 0x413u ? 1u : 3u) << 14;
    RCC_PLLCFGR = (RCC_PLLCFGR & ~0x0F437FFFu) | PLL_M | PLL_N << 6 | (PLL_OUT / 2u - 1u) << 16 | 9u << 24;
    RCC_CR |= 1u << 24; /* PLLON */
    if (!wait_for(&RCC_CR, 1u << 25, 1u << 25)) {
        return "the PLL did not start";
    }
    if (BOARD_CLOCK_HZ > 168000000u) {
        PWR_CR |= 1u << 16; /* ODEN: over-drive */
        if (!wait_for(&PWR_CSR, 1u << 16, 1u << 16)) {
            return "over-drive did not start";
        }
        PWR_CR |= 1u << 17; /* ODSWEN */
        if (!wait_for(&PWR_CSR, 1u << 17, 1u << 17)) {
            return "over-drive did not take over";
        }
    }
    if (!wait_for(&PWR_CSR, 1u << 14, 1u << 14)) {
        return "the supply did not reach scale 1";
    }
    uint32_t prefetch = FLASH_PREFETCH && !is_revision_a();
    if (!change(&FLASH_ACR, 0x70Fu, FLASH_LATENCY | prefetch << 8 | 3u << 9)) { /* ICEN, DCEN */
        return "the flash did not take its wait states";
    }
    RCC_CFGR = (RCC_CFGR & ~(0x3Fu << 10)) | 5u << 10 | 4u << 13; /* APB1: a quarter, APB2: half the clock */
    RCC_CFGR |= 2u;                                               /* system clock: PLL */
    return wait_for(&RCC_CFGR, 3u << 2, 2u << 2) ? 0 : "the core did not switch to the PLL";
}

void chip_start_caches(void)
{
    /* they are on since the flash has its wait states */
}

uint32_t chip_clock_hz(void)
{
    return (RCC_CFGR >> 2 & 3u) == 2u ? BOARD_CLOCK_HZ : BOARD_RESET_HZ;
}

uint32_t chip_uart_hz(void)
{
    uint32_t divider = RCC_CFGR >> (UART_BASE < 0x40010000u ? 10 : 13) & 7u; /* of APB1 or APB2 */
    return chip_clock_hz() >> (divider < 4u ? 0u : divider - 3u);
}

void chip_prepare_pin(void)
{
}

const char *chip_remark(void)
{
    return is_revision_a() ? "revision A: prefetch stays off" : 0;
}
