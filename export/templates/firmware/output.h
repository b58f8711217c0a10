/* Where text goes: chosen when the firmware is configured. */
#ifndef OUTPUT_H
#define OUTPUT_H

/* Makes it ready, at any moment and any clock, also again after the clock has changed. */
void output_start(void);

void output_put(char character);

#endif
