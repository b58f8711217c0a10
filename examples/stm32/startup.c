/* From reset to main, and what happens if anything goes wrong. No interrupt is used, so the table ends with the
 * core's own vectors. */
#include <stdint.h>

#include "print.h"
#include "registers.h"

#define SCB_VTOR REGISTER(0xE000ED08)

extern uint32_t stack_top, data_load, data_start, data_end, bss_start, bss_end;

int main(void);
void reset_handler(void);

static void fault_handler(void) {
    print("fault\n");
    for (;;) {
    }
}

__attribute__((section(".vectors"), used)) static void (*const vectors[16])(void) = {
    (void (*)(void))(uintptr_t)&stack_top,
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

void reset_handler(void) {
    const uint32_t *from = &data_load;
    for (uint32_t *to = &data_start; to < &data_end;) {
        *to++ = *from++;
    }
    for (uint32_t *to = &bss_start; to < &bss_end;) {
        *to++ = 0;
    }
    SCB_VTOR = (uint32_t)(uintptr_t)vectors;
    main();
    for (;;) {
    }
}
