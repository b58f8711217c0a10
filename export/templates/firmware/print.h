/* Printing without a C library. */
#ifndef PRINT_H
#define PRINT_H

#include <stdint.h>

void print(const char *text);
void print_number(int32_t number);
void print_count(uint32_t number);
void print_hexadecimal(uint32_t number);

#endif
