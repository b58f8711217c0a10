/* STM32H743, from its internal 64 MHz oscillator, supplied by its LDO as on the Nucleo boards. Registers and their order:
 * ST RM0433; caches: Arm DDI0403, cache maintenance. */
#include "board.h"
#include "chip.h"
#include "no_monitors.h"
#include "registers.h"

#define RCC_CR REGISTER(0x58024400)
#define RCC_CFGR REGISTER(0x58024410)
#define RCC_D1CFGR REGISTER(0x58024418)
#define RCC_D2CFGR REGISTER(0x5802441C)
#define RCC_D3CFGR REGISTER(0x58024420)
#define RCC_PLLCKSELR REGISTER(0x58024428)
#define RCC_PLLCFGR REGISTER(0x5802442C)
#define RCC_PLL1DIVR REGISTER(0x58024430)
#define RCC_APB4ENR REGISTER(0x580244F4)
#define PWR_CSR1 REGISTER(0x58024804)
#define PWR_CR3 REGISTER(0x5802480C)
#define PWR_D3CR REGISTER(0x58024818)
#define SYSCFG_PWRCR REGISTER(0x5800042C)
#define DBGMCU_IDCODE REGISTER(0x5C001000)
#define AXI_TARG7_FN_MOD REGISTER(0x51008108)
#define SCB_CCR REGISTER(0xE000ED14)
#define SCB_CCSIDR REGISTER(0xE000ED80)
#define SCB_CSSELR REGISTER(0xE000ED84)
#define SCB_ICIALLU REGISTER(0xE000EF50)
#define SCB_DCISW REGISTER(0xE000EF60)

static int is_revision_y(void)
{
    return DBGMCU_IDCODE >> 16 < 0x2000u;
}

void chip_prepare_memories(void)
{
    if (is_revision_y()) {
        AXI_TARG7_FN_MOD = 1u; /* reads of the AXI SRAM can be wrong there otherwise (ST ES0392) */
    }
}

const char *chip_start_clock(void)
{
    if (BOARD_CLOCK_HZ > 400000000u && is_revision_y()) {
        return "this is silicon revision Y, which runs at 400 MHz: export for nucleo-h743zi";
    }
    if ((PWR_CR3 & 7u) == 6u) { /* not yet chosen since power-on: the LDO alone */
        PWR_CR3 = (PWR_CR3 & ~7u) | 1u << 1;
    }
    if (!wait_for(&PWR_CSR1, 1u << 13, 1u << 13)) { /* ACTVOSRDY */
        return "the supply did not settle";
    }
    PWR_D3CR |= 3u << 14; /* VOS1 */
    if (!wait_for(&PWR_D3CR, 1u << 13, 1u << 13) || !wait_for(&PWR_CSR1, 7u << 13, 7u << 13)) { /* ACTVOS, ACTVOSRDY */
        return "the supply did not reach VOS1";
    }
    if (BOARD_CLOCK_HZ > 400000000u) {
        enable(&RCC_APB4ENR, 1u << 1); /* SYSCFG */
        if (!change(&SYSCFG_PWRCR, 1u, 1u) || !wait_for(&PWR_D3CR, 1u << 13, 1u << 13)) { /* ODEN: VOS0 */
            return "the supply did not reach VOS0";
        }
    }
    RCC_PLLCKSELR = (RCC_PLLCKSELR & ~0x3F3u) | PLL_M << 4; /* HSI */
    RCC_PLLCFGR = (RCC_PLLCFGR & ~0xFu) | 3u << 2;          /* input of 8 to 16 MHz, wide VCO; outputs are on */
    RCC_PLL1DIVR = (PLL_N - 1u) | (PLL_OUT - 1u) << 9 | 1u << 16 | 1u << 24;
    RCC_CR |= 1u << 24; /* PLL1ON */
    if (!wait_for(&RCC_CR, 1u << 25, 1u << 25)) {
        return "the PLL did not start";
    }
    if (!change(&FLASH_ACR, 0x3Fu, FLASH_LATENCY | 2u << 4)) { /* WRHIGHFREQ: 2 above 185 MHz on the AXI bus */
        return "the flash did not take its wait states";
    }
    RCC_D1CFGR = 8u | 4u << 4;      /* AXI: half the core's clock, APB3: a quarter */
    RCC_D2CFGR = 4u << 4 | 4u << 8; /* APB1 and APB2: a quarter */
    RCC_D3CFGR = 4u << 4;           /* APB4: a quarter */
    RCC_CFGR |= 3u;                 /* system clock: PLL1 P */
    return wait_for(&RCC_CFGR, 7u << 3, 3u << 3) ? 0 : "the core did not switch to the PLL";
}

void chip_start_caches(void)
{
    barrier();
    SCB_ICIALLU = 0;
    SCB_CSSELR = 0; /* the data cache, whose lines hold anything after reset */
    barrier();
    uint32_t shape = SCB_CCSIDR, sets = (shape >> 13 & 0x7FFFu) + 1u, ways = (shape >> 3 & 0x3FFu) + 1u;
    for (uint32_t set = 0; set < sets; set++) {
        for (uint32_t way = 0; way < ways; way++) {
            SCB_DCISW = set << 5 | way << 30; /* 4 ways of 32-byte lines: DDI0489 */
        }
    }
    barrier();
    SCB_CCR |= 1u << 16 | 1u << 17; /* DC, IC */
    barrier();
}

uint32_t chip_clock_hz(void)
{
    return (RCC_CFGR >> 3 & 7u) == 3u ? BOARD_CLOCK_HZ : BOARD_RESET_HZ;
}

uint32_t chip_uart_hz(void)
{
    uint32_t bus = RCC_D1CFGR & 0xFu, apb1 = RCC_D2CFGR >> 4 & 7u;
    return chip_clock_hz() >> (bus < 8u ? 0u : bus - 7u) >> (apb1 < 4u ? 0u : apb1 - 3u);
}

void chip_prepare_pin(void)
{
}

const char *chip_remark(void)
{
    return 0;
}
