/* The stack, from the linker script. */
#ifndef STACK_H
#define STACK_H

#include <stdint.h>

extern uint32_t stack_bottom[], stack_top[];

#endif
