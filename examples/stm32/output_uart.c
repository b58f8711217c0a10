#include "output.h"

#include "board.h"

void output_put(char character) {
    if (character == '\n') {
        board_uart_put('\r');
    }
    board_uart_put(character);
}
