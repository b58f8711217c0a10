/* Runs the network once under QEMU with -icount and prints how many SysTick ticks it took, then its output bytes. */
#include <stdint.h>

int NETWORK_RUN(const int8_t *input, int8_t *output);

extern uint32_t _stack_top, _data_load, _data_start, _data_end, _bss_start, _bss_end;
extern const int8_t network_input[];
static int8_t network_output[NETWORK_OUTPUT_SIZE];

typedef int (*network_function)(const int8_t *, int8_t *);

#define SYST_CSR (*(volatile uint32_t *)0xE000E010u)
#define SYST_RVR (*(volatile uint32_t *)0xE000E014u)
#define SYST_CVR (*(volatile uint32_t *)0xE000E018u)

static int semihost(int operation, const void *argument) {
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static void print(uint32_t value) {
    char text[12];
    char *at = text + sizeof text;
    *--at = 0;
    *--at = '\n';
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    semihost(4, at); /* SYS_WRITE0 */
}

/* One instruction, to be subtracted with the cost of calling and reading the counter. */
__attribute__((naked)) static int nothing(const int8_t *input, int8_t *output) {
    (void)input;
    (void)output;
    __asm__ volatile("bx lr");
}

__attribute__((noinline)) static uint32_t ticks(network_function function) {
    uint32_t start = SYST_CVR;
    function(network_input, network_output);
    return start - SYST_CVR;
}

void reset(void) {
    for (uint32_t *to = &_data_start, *from = &_data_load; to < &_data_end;) {
        *to++ = *from++;
    }
    for (uint32_t *to = &_bss_start; to < &_bss_end;) {
        *to++ = 0;
    }
    SYST_RVR = 0xFFFFFFu;
    SYST_CVR = 0;
    SYST_CSR = 5; /* core clock, no interrupt */
    print(ticks(nothing));
    print(ticks(NETWORK_RUN));
    for (int i = 0; i < NETWORK_OUTPUT_SIZE; i++) {
        print((uint8_t)network_output[i]);
    }
    semihost(0x18, (const void *)0x20026); /* SYS_EXIT: application exit */
    for (;;) {
    }
}

static void fault(void) {
    semihost(4, "fault\n");
    semihost(0x18, (const void *)0x20023); /* SYS_EXIT: run-time error */
    for (;;) {
    }
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    &_stack_top, reset, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault,
};
