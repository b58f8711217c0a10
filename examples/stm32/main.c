/* Runs the network on every image and prints class, cycles and output bytes. */
#include <stdint.h>

#include "board.h"
#include "images.h"
#include "print.h"
#include "registers.h"
#include NETWORK_HEADER

#define DEMCR REGISTER(0xE000EDFC)
#define DWT_CTRL REGISTER(0xE0001000)
#define DWT_CYCCNT REGISTER(0xE0001004)

static void start_cycle_counter(void) {
    DEMCR |= 1u << 24; /* TRCENA */
    DWT_CYCCNT = 0;
    DWT_CTRL |= 1u; /* CYCCNTENA */
}

static uint32_t largest(const int8_t *values, uint32_t count) {
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; i++) {
        if (values[i] > values[best]) {
            best = i;
        }
    }
    return best;
}

static void run(uint32_t index) {
    static int8_t output[NETWORK_OUTPUT_SIZE];
    uint32_t start = DWT_CYCCNT;
    int status = NETWORK_RUN(images + index * image_size, output);
    uint32_t cycles = DWT_CYCCNT - start;
    print("image ");
    print_count(index);
    if (status != 0) {
        print(": error ");
        print_number(status);
        print("\n");
        return;
    }
    print(": class ");
    print_count(largest(output, NETWORK_OUTPUT_SIZE));
    print(", cycles ");
    if (cycles) {
        print_count(cycles);
    } else {
        print("not counted");
    }
    print(", output");
    for (uint32_t i = 0; i < NETWORK_OUTPUT_SIZE; i++) {
        print(" ");
        print_number(output[i]);
    }
    print("\n");
}

int main(void) {
    uint32_t clock = board_start();
    start_cycle_counter();
    print("network " NETWORK_NAME " on ");
    print(board_name);
    print(" at ");
    print_count(clock);
    print(" Hz\n");
    if (clock != board_full_clock_hz) {
        print("warning: the PLL did not start; full speed is ");
        print_count(board_full_clock_hz);
        print(" Hz\n");
    }
    if (image_size != NETWORK_INPUT_SIZE) {
        print("error: the images are not of the network's input size\n");
        return 1;
    }
    for (uint32_t index = 0; index < image_count; index++) {
        run(index);
    }
    print("done\n");
    return 0;
}
