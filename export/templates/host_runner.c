/* Runs an exported network over the int8 inputs on standard input and writes its int8 outputs to standard output.
 * NETWORK_RUN, NETWORK_INPUT_SIZE and NETWORK_OUTPUT_SIZE are given on the command line. */
#include <stdint.h>
#include <stdio.h>

int NETWORK_RUN(const int8_t *input, int8_t *output);

int main(void) {
    static int8_t input[NETWORK_INPUT_SIZE];
    static int8_t output[NETWORK_OUTPUT_SIZE];
    while (fread(input, 1, sizeof input, stdin) == sizeof input) {
        if (NETWORK_RUN(input, output) != 0) {
            return 2;
        }
        if (fwrite(output, 1, sizeof output, stdout) != sizeof output) {
            return 3;
        }
    }
    return 0;
}
