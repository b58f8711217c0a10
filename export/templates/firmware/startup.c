/* From reset to main, and what happens if anything goes wrong. No interrupt is used, so the table ends with the
 * core's own vectors. */
#include <stdint.h>

#include "chip.h"
#include "output.h"
#include "print.h"
#include "registers.h"
#include "stack.h"

#define SCB_VTOR REGISTER(0xE000ED08)
#define SCB_ICSR REGISTER(0xE000ED04)
#define SCB_CFSR REGISTER(0xE000ED28)
#define SCB_HFSR REGISTER(0xE000ED2C)
#define SCB_MMFAR REGISTER(0xE000ED34)
#define SCB_BFAR REGISTER(0xE000ED38)

extern uint32_t data_load[], data_start[], data_end[], bss_start[], bss_end[];
extern uint32_t copies_load[], copies_start[], copies_end[];

int main(void);
void reset_handler(void);
void fault_report(const uint32_t *frame);

static void item(const char *name, uint32_t value)
{
    print(name);
    print_hexadecimal(value);
}

/* Says what the core knows of a fault. It needs no variable and starts the output itself, so it reports from the first
 * instruction after reset on. */
__attribute__((used)) void fault_report(const uint32_t *frame)
{
    output_start();
    print("\nfault ");
    print_count(SCB_ICSR & 0x1FFu);
    if (frame >= stack_bottom && frame + 8 <= stack_top) {
        item(": at ", frame[6]);
        item(", called from ", frame[5]);
    } else {
        item(": stack overflow, at ", (uint32_t)(uintptr_t)frame);
    }
    item(", CFSR ", SCB_CFSR);
    item(", HFSR ", SCB_HFSR);
    item(", MMFAR ", SCB_MMFAR);
    item(", BFAR ", SCB_BFAR);
    print("\n");
    for (;;) {
    }
}

/* The stack pointer tells where the frame is. If it has left the stack, reporting gets a new one. */
__attribute__((naked)) static void fault_handler(void)
{
    __asm__ volatile("mrs r0, msp\n"
                     "ldr r1, =stack_bottom\n"
                     "cmp r0, r1\n"
                     "bhs 1f\n"
                     "ldr r1, =stack_top\n"
                     "msr msp, r1\n"
                     "1: b fault_report\n"
                     ".ltorg\n");
}

__attribute__((section(".vectors"), used)) static void (*const vectors[16])(void) = {
    (void (*)(void))(uintptr_t)stack_top,
    reset_handler,
    fault_handler, /* NMI */
    fault_handler, /* hard */
    fault_handler, /* memory management */
    fault_handler, /* bus */
    fault_handler, /* usage */
    fault_handler, /* secure, or reserved */
    0,
    0,
    0,
    fault_handler, /* SVCall */
    fault_handler, /* debug monitor */
    0,
    fault_handler, /* PendSV */
    fault_handler, /* SysTick */
};

static void copy(uint32_t *to, const uint32_t *end, const uint32_t *from)
{
    while (to < end) {
        *to++ = *from++;
    }
}

void reset_handler(void)
{
    SCB_VTOR = (uint32_t)(uintptr_t)vectors; /* first of all: from here on faults are reported */
    chip_prepare_memories();
    copy(data_start, data_end, data_load);
    copy(copies_start, copies_end, copies_load); /* kernels that run from RAM, at the bank's address for data */
    for (uint32_t *to = bss_start; to < bss_end;) {
        *to++ = 0;
    }
    barrier();
    main();
    for (;;) {
    }
}
