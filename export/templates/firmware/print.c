#include "print.h"

#include "output.h"

void print(const char *text)
{
    while (*text) {
        output_put(*text++);
    }
}

void print_count(uint32_t number)
{
    char digits[10];
    int count = 0;
    do {
        digits[count++] = (char)('0' + number % 10u);
        number /= 10u;
    } while (number);
    while (count) {
        output_put(digits[--count]);
    }
}

void print_number(int32_t number)
{
    if (number < 0) {
        output_put('-');
    }
    print_count(number < 0 ? 0u - (uint32_t)number : (uint32_t)number);
}

void print_hexadecimal(uint32_t number)
{
    print("0x");
    for (int shift = 28; shift >= 0; shift -= 4) {
        output_put("0123456789abcdef"[number >> shift & 0xFu]);
    }
}
