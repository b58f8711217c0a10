/* The instruction cache of STM32U5 and STM32H5 (ICACHE in ST RM0456 and RM0481), with its monitors. */
#include "chip.h"
#include "registers.h"

#define ICACHE_CR REGISTER(0x40030400)
#define ICACHE_SR REGISTER(0x40030404)
#define ICACHE_HMONR REGISTER(0x40030410)
#define ICACHE_MMONR REGISTER(0x40030414)

void chip_start_caches(void)
{
    (void)wait_for(&ICACHE_SR, 1u << 0, 0); /* BUSYF: it invalidates itself after reset */
    (void)change(&ICACHE_CR, 1u << 0, 1u << 0); /* EN; two ways is its reset state */
}

int chip_counts_cache(void)
{
    return 1;
}

void chip_reset_cache_counts(void)
{
    ICACHE_CR |= 3u << 18; /* HITMRST, MISSMRST */
    ICACHE_CR = (ICACHE_CR & ~(3u << 18)) | 3u << 16; /* HITMEN, MISSMEN */
}

uint32_t chip_cache_hits(void)
{
    return ICACHE_HMONR;
}

uint32_t chip_cache_misses(void)
{
    return ICACHE_MMONR & 0xFFFFu;
}
