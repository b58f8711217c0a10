/* Runs the network on every sample. Prints cycles by layer, what the cache counted, and whether every output byte is
 * right. keras-approx compare reads what is printed. */
#include <stdint.h>

#include "board.h"
#include "chip.h"
#include "network.h"
#include "output.h"
#include "print.h"
#include "registers.h"
#include "samples.h"
#include "stack.h"

#define DEMCR REGISTER(0xE000EDFC)
#define DWT_CTRL REGISTER(0xE0001000)
#define DWT_CYCCNT REGISTER(0xE0001004)
#define DWT_LAR REGISTER(0xE0001FB0)
#define PAINT 0xA5A5A5A5u

static struct {
    uint32_t start, cycles[NETWORK_LAYERS], hits[NETWORK_LAYERS], misses[NETWORK_LAYERS];
    int counts_cache; /* what the hooks measure: the cache instead of cycles */
} measured;

void NETWORK_BEFORE_LAYER(int layer)
{
    (void)layer;
    if (measured.counts_cache) {
        chip_reset_cache_counts();
    }
    measured.start = DWT_CYCCNT;
}

void NETWORK_AFTER_LAYER(int layer)
{
    measured.cycles[layer] = DWT_CYCCNT - measured.start;
    if (measured.counts_cache) {
        measured.hits[layer] = chip_cache_hits();
        measured.misses[layer] = chip_cache_misses();
    }
}

static int start_cycle_counter(void)
{
    DEMCR |= 1u << 24;     /* TRCENA */
    DWT_LAR = 0xC5ACCE55u; /* Cortex-M7 locks the unit */
    DWT_CYCCNT = 0;
    DWT_CTRL |= 1u; /* CYCCNTENA */
    uint32_t before = DWT_CYCCNT;
    return DWT_CYCCNT != before;
}

static void line(const char *name, uint32_t value, const char *unit)
{
    print(name);
    print_count(value);
    print(unit);
    print("\n");
}

static int is_right(const uint8_t *output, const uint8_t *expected)
{
    for (uint32_t at = 0; at < OUTPUT_BYTES; at++) {
        if (output[at] != expected[at]) {
            print("FAIL: byte ");
            print_count(at);
            print(" is ");
            print_number((int8_t)output[at]);
            print(", expected ");
            print_number((int8_t)expected[at]);
            print("\n");
            return 0;
        }
    }
    print("PASS\n");
    return 1;
}

static int run(uint32_t sample, int counted)
{
    static _Alignas(8) uint8_t output[OUTPUT_BYTES];
    /* What reading the counter adds to a layer, and what a pair of hooks adds to an inference. */
    uint32_t before = DWT_CYCCNT;
    NETWORK_BEFORE_LAYER(0);
    NETWORK_AFTER_LAYER(0);
    uint32_t of_hooks = DWT_CYCCNT - before, of_reading = measured.cycles[0];
    uint32_t start = DWT_CYCCNT;
    int status = network_run(sample_inputs[sample], output);
    uint32_t cycles = DWT_CYCCNT - start;
    print("sample ");
    print_count(sample);
    if (status != 0) {
        print(": FAIL: the network returned ");
        print_number(status);
        print("\n");
        return 0;
    }
    print(": ");
    int right = is_right(output, sample_outputs[sample]);
    if (!counted) {
        return right;
    }
    for (uint32_t layer = 0; layer < NETWORK_LAYERS; layer++) {
        print("layer ");
        print_count(layer);
        line(": ", measured.cycles[layer] - of_reading, " cycles");
    }
    line("total: ", cycles - NETWORK_LAYERS * of_hooks, " cycles");
    return right;
}

static void count_cache(void)
{
    static _Alignas(8) uint8_t output[OUTPUT_BYTES];
    measured.counts_cache = 1;
    (void)network_run(sample_inputs[0], output);
    measured.counts_cache = 0;
    for (uint32_t layer = 0; layer < NETWORK_LAYERS; layer++) {
        print("cache of layer ");
        print_count(layer);
        print(": hits ");
        print_count(measured.hits[layer]);
        line(", misses ", measured.misses[layer], measured.misses[layer] == 0xFFFFu ? " or more" : "");
    }
}

/* Paints what is free of the stack, to see later how far it went. */
static void paint_stack(void)
{
    volatile uint32_t *here;
    __asm__ volatile("mov %0, sp" : "=r"(here));
    for (volatile uint32_t *at = stack_bottom; at < here; at++) {
        *at = PAINT;
    }
}

static uint32_t stack_bytes(void)
{
    const volatile uint32_t *at = stack_bottom;
    while (*at == PAINT) {
        at++;
    }
    return (uint32_t)((uintptr_t)stack_top - (uintptr_t)at);
}

int main(void)
{
    output_start();
    print("\nkeras_approx firmware of " NETWORK_NAME " (" NETWORK_DIGEST ") for " BOARD_NAME "\n");
    const char *trouble = chip_start_clock();
    output_start(); /* again, at the clock that it has come to */
    chip_start_caches();
    int counted = start_cycle_counter();
    line("clock: ", chip_clock_hz(), " Hz");
    if (trouble) {
        print("warning: ");
        print(trouble);
        line("; full speed is ", BOARD_CLOCK_HZ, " Hz");
    }
    print(FLASH_ACR >> 8 & 1u ? "flash: prefetch, " : "flash: no prefetch, ");
    line("wait states ", FLASH_ACR & 0xFu, "");
    if (chip_remark()) {
        print("warning: ");
        print(chip_remark());
        print("\n");
    }
    if (!counted) {
        print("warning: the core counts no cycles\n");
    }
    paint_stack();
    uint32_t right = 0;
    for (uint32_t sample = 0; sample < SAMPLES; sample++) {
        right += (uint32_t)run(sample, counted);
    }
    if (chip_counts_cache()) {
        count_cache();
    }
    line("stack: ", stack_bytes(), " bytes");
    print(right == SAMPLES ? "done: PASS\n" : "done: FAIL\n");
    return 0;
}
