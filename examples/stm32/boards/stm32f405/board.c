/* STM32F405, from its internal 16 MHz oscillator, so that any crystal will do. Registers: ST RM0090. */
#include "board.h"
#include "registers.h"

#define RCC_CR REGISTER(0x40023800)
#define RCC_PLLCFGR REGISTER(0x40023804)
#define RCC_CFGR REGISTER(0x40023808)
#define RCC_AHB1ENR REGISTER(0x40023830)
#define RCC_APB1ENR REGISTER(0x40023840)
#define RCC_APB2ENR REGISTER(0x40023844)
#define FLASH_ACR REGISTER(0x40023C00)
#define PWR_CR REGISTER(0x40007000)
#define GPIOA_MODER REGISTER(0x40020000)
#define GPIOA_AFRH REGISTER(0x40020024)
#define USART1_SR REGISTER(0x40011000)
#define USART1_DR REGISTER(0x40011004)
#define USART1_BRR REGISTER(0x40011008)
#define USART1_CR1 REGISTER(0x4001100C)

const char board_name[] = "stm32f405";
const uint32_t board_full_clock_hz = 168000000u;

static uint32_t start_clock(void) {
    RCC_APB1ENR |= 1u << 28; /* PWREN */
    PWR_CR |= 1u << 14;      /* VOS: scale 1, for more than 144 MHz */
    /* 16 MHz / 8 * 168 / 2 = 168 MHz; Q: 48 MHz. Source: HSI. */
    RCC_PLLCFGR = 8u | 168u << 6 | 0u << 16 | 7u << 24;
    RCC_CR |= 1u << 24; /* PLLON */
    if (!wait_for(&RCC_CR, 1u << 25)) {
        return 16000000u;
    }
    FLASH_ACR = 5u | 1u << 8 | 1u << 9 | 1u << 10; /* 5 wait states, prefetch, instruction and data cache */
    RCC_CFGR = 5u << 10 | 4u << 13;                /* APB1: a quarter, APB2: half the clock */
    RCC_CFGR |= 2u;                                /* system clock: PLL */
    return wait_for(&RCC_CFGR, 2u << 2) ? board_full_clock_hz : 16000000u;
}

uint32_t board_start(void) {
    uint32_t clock = start_clock();
    uint32_t uart_clock = clock == board_full_clock_hz ? clock / 2u : clock;
    RCC_AHB1ENR |= 1u << 0;  /* GPIOA */
    RCC_APB2ENR |= 1u << 4;  /* USART1 */
    (void)RCC_APB2ENR;       /* the clock needs two cycles */
    GPIOA_AFRH = (GPIOA_AFRH & ~(0xFu << 4)) | 7u << 4;    /* PA9: USART1_TX */
    GPIOA_MODER = (GPIOA_MODER & ~(3u << 18)) | 2u << 18;
    USART1_BRR = (uart_clock + 57600u) / 115200u;
    USART1_CR1 = 1u << 13 | 1u << 3; /* UE, TE */
    return clock;
}

void board_uart_put(char character) {
    while (!(USART1_SR & 1u << 7)) { /* TXE */
    }
    USART1_DR = (uint8_t)character;
}
