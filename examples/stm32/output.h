/* Where text goes: chosen when the firmware is configured. */
#ifndef OUTPUT_H
#define OUTPUT_H

void output_put(char character);

#endif
