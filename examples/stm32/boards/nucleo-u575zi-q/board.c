/* NUCLEO-U575ZI-Q, from its internal 4 MHz oscillator, with TrustZone off as delivered. The UART is the ST-LINK's
 * virtual COM port. Registers: ST RM0456; pins: UM2861. */
#include "board.h"
#include "registers.h"

#define RCC_CR REGISTER(0x46020C00)
#define RCC_CFGR1 REGISTER(0x46020C1C)
#define RCC_PLL1CFGR REGISTER(0x46020C28)
#define RCC_PLL1DIVR REGISTER(0x46020C34)
#define RCC_AHB2ENR1 REGISTER(0x46020C8C)
#define RCC_AHB3ENR REGISTER(0x46020C94)
#define RCC_APB2ENR REGISTER(0x46020CA4)
#define PWR_VOSR REGISTER(0x4602080C)
#define FLASH_ACR REGISTER(0x40022000)
#define ICACHE_CR REGISTER(0x40030400)
#define ICACHE_SR REGISTER(0x40030404)
#define GPIOA_MODER REGISTER(0x42020000)
#define GPIOA_AFRH REGISTER(0x42020024)
#define USART1_CR1 REGISTER(0x40013800)
#define USART1_BRR REGISTER(0x4001380C)
#define USART1_ISR REGISTER(0x4001381C)
#define USART1_TDR REGISTER(0x40013828)

const char board_name[] = "nucleo-u575zi-q";
const uint32_t board_full_clock_hz = 160000000u;

static uint32_t start_clock(void) {
    RCC_AHB3ENR |= 1u << 2; /* PWR */
    (void)RCC_AHB3ENR;
    /* 4 MHz / 1 * 80 / 2 = 160 MHz. Source: MSIS, which also clocks the supply booster; output R alone. */
    RCC_PLL1CFGR = 1u | 1u << 18;
    RCC_PLL1DIVR = 79u | 1u << 9 | 1u << 16 | 1u << 24;
    PWR_VOSR = 3u << 16 | 1u << 18; /* range 1, and the booster that more than 55 MHz need */
    if (!wait_for(&PWR_VOSR, 1u << 15 | 1u << 14)) {
        return 4000000u;
    }
    RCC_CR |= 1u << 24; /* PLL1ON */
    if (!wait_for(&RCC_CR, 1u << 25)) {
        return 4000000u;
    }
    FLASH_ACR = 4u | 1u << 8; /* 4 wait states, prefetch */
    RCC_CFGR1 |= 3u;          /* system clock: PLL1 R */
    return wait_for(&RCC_CFGR1, 3u << 2) ? board_full_clock_hz : 4000000u;
}

uint32_t board_start(void) {
    uint32_t clock = start_clock();
    while (ICACHE_SR & 1u) { /* invalidating itself after reset */
    }
    ICACHE_CR |= 1u; /* on; two ways is its reset state */
    RCC_AHB2ENR1 |= 1u << 0;  /* GPIOA */
    RCC_APB2ENR |= 1u << 14;  /* USART1, at the core's clock */
    (void)RCC_APB2ENR;
    GPIOA_AFRH = (GPIOA_AFRH & ~(0xFu << 4)) | 7u << 4; /* PA9: USART1_TX */
    GPIOA_MODER = (GPIOA_MODER & ~(3u << 18)) | 2u << 18;
    USART1_BRR = (clock + 57600u) / 115200u;
    USART1_CR1 = 1u << 3 | 1u << 0; /* TE, UE */
    return clock;
}

void board_uart_put(char character) {
    while (!(USART1_ISR & 1u << 7)) { /* TXE */
    }
    USART1_TDR = (uint8_t)character;
}
