/* For caches that count nothing. */
#include "chip.h"

int chip_counts_cache(void)
{
    return 0;
}

void chip_reset_cache_counts(void)
{
}

uint32_t chip_cache_hits(void)
{
    return 0;
}

uint32_t chip_cache_misses(void)
{
    return 0;
}
