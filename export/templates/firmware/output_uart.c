/* Text goes to a UART at 115200 baud, 8N1. */
#include "board.h"
#include "chip.h"
#include "output.h"
#include "registers.h"

#define BAUD 115200u

#if UART_OF_F4 /* SR, DR, BRR, CR1 */
#define STATUS REGISTER(UART_BASE)
#define DATA REGISTER(UART_BASE + 0x04u)
#define DIVIDER REGISTER(UART_BASE + 0x08u)
#define CONTROL REGISTER(UART_BASE + 0x0Cu)
#define ENABLED (1u << 13)
#else /* CR1, BRR, ISR, TDR */
#define STATUS REGISTER(UART_BASE + 0x1Cu)
#define DATA REGISTER(UART_BASE + 0x28u)
#define DIVIDER REGISTER(UART_BASE + 0x0Cu)
#define CONTROL REGISTER(UART_BASE)
#define ENABLED (1u << 0)
#endif
#define GPIO_MODER REGISTER(PIN_PORT)
#define GPIO_AFR REGISTER(PIN_PORT + 0x20u + 4u * (PIN_NUMBER / 8u))
#define AFR_SHIFT (4u * (PIN_NUMBER % 8u))
#define TRANSMITTED (1u << 6)
#define ROOM (1u << 7)

void output_start(void)
{
    uint32_t hz = chip_uart_hz();
    chip_prepare_pin();
    enable(&REGISTER(PIN_CLOCK), 1u << PIN_CLOCK_BIT);
    enable(&REGISTER(UART_CLOCK), 1u << UART_CLOCK_BIT);
    if (CONTROL & ENABLED) {
        (void)wait_for(&STATUS, TRANSMITTED, TRANSMITTED);
    }
    CONTROL = 0;
    GPIO_AFR = (GPIO_AFR & ~(0xFu << AFR_SHIFT)) | PIN_FUNCTION << AFR_SHIFT;
    GPIO_MODER = (GPIO_MODER & ~(3u << 2u * PIN_NUMBER)) | 2u << 2u * PIN_NUMBER;
    /* UART_FINENESS divisions of a clock: 256 for low-power UARTs, whose product would not fit 32 bits */
    DIVIDER = hz / BAUD * UART_FINENESS + (hz % BAUD * UART_FINENESS + BAUD / 2u) / BAUD;
    CONTROL = 1u << 3 | ENABLED; /* TE */
}

void output_put(char character)
{
    if (character == '\n') {
        output_put('\r');
    }
    while (!(STATUS & ROOM)) {
    }
    DATA = (uint8_t)character;
}
