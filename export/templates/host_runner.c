/* Runs an exported network over the inputs on standard input and writes its outputs to standard output.
 * NETWORK_HEADER, NETWORK_RUN, NETWORK_INPUT_SIZE and NETWORK_OUTPUT_SIZE are given on the command line. */
#include <stdint.h>
#include <stdio.h>
#include NETWORK_HEADER

int main(void) {
    static _Alignas(8) uint8_t input[NETWORK_INPUT_SIZE];
    static _Alignas(8) uint8_t output[NETWORK_OUTPUT_SIZE];
    while (fread(input, 1, sizeof input, stdin) == sizeof input) {
        if (NETWORK_RUN != 0) {
            return 2;
        }
        if (fwrite(output, 1, sizeof output, stdout) != sizeof output) {
            return 3;
        }
    }
    return 0;
}
