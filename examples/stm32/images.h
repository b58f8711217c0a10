/* The inputs, from images_to_c.py. */
#ifndef IMAGES_H
#define IMAGES_H

#include <stdint.h>

extern const uint32_t image_count;
extern const uint32_t image_size; /* bytes of each */
extern const int8_t images[];

#endif
