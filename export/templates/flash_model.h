/* What an access to the flash waits, by one reading of the reference manuals: see export/targets/memories.py.
 *
 * Times are cycles of the core, waits included. The flash is read in pieces of `width` bytes; a read that starts at a
 * time gives its piece `waits` cycles later, and the port is free in the cycle after that. */
#ifndef FLASH_MODEL_H
#define FLASH_MODEL_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

enum prefetch { NO_PREFETCH, BESIDE, BEHIND };

struct cache_setup {
    uint32_t line, sets, ways; /* sets 0: none */
};

struct flash_setup {
    uint32_t start, end; /* addresses */
    uint32_t width, prefetch, shared;
    struct cache_setup code, constants;
};

struct reading {
    uint32_t absorbs, aborts, constants_ahead, waits;
};

struct line {
    uint32_t tag;
    uint32_t valid; /* a bit a piece */
};

struct cache {
    struct line *lines; /* [sets][ways], the latest used first */
    uint32_t sets, ways, pieces; /* pieces of a line */
};

struct flash {
    struct reading reading;
    uint32_t width, prefetch;
    struct cache code, constants, *data; /* data: the one that constants pass */
    uint32_t current;       /* piece that is executed */
    uint32_t constant;      /* piece that was loaded last */
    uint32_t ahead;         /* piece read ahead, or NONE */
    uint64_t ahead_at;      /* when it is there */
    uint64_t free_at;       /* when the port is */
};

static inline int cache_new(struct cache *c, const struct cache_setup *setup, uint32_t width) {
    c->sets = setup->sets;
    c->ways = setup->ways;
    c->pieces = setup->line > width ? setup->line / width : 1;
    size_t bytes = ((size_t)c->sets * c->ways + 1) * sizeof *c->lines;
    c->lines = malloc(bytes);
    if (c->lines) {
        memset(c->lines, 0xff, bytes);
        for (size_t i = 0; i < (size_t)c->sets * c->ways; i++) {
            c->lines[i].valid = 0;
        }
    }
    return c->lines != NULL;
}

static inline void flash_free(struct flash *f) {
    free(f->code.lines);
    free(f->constants.lines);
}

static inline int flash_new(struct flash *f, const struct flash_setup *setup, const struct reading *reading) {
    memset(f, 0, sizeof *f);
    f->reading = *reading;
    f->width = setup->width;
    f->prefetch = setup->prefetch;
    f->current = f->constant = f->ahead = NONE;
    f->data = setup->shared ? &f->code : &f->constants;
    return cache_new(&f->code, &setup->code, f->width) && cache_new(&f->constants, &setup->constants, f->width);
}

/* Whether a cache holds a piece, which then counts as used if `use`. */
static inline int held(struct cache *c, uint32_t piece, int use) {
    if (!c->sets) {
        return 0;
    }
    uint32_t tag = piece / c->pieces;
    struct line *set = c->lines + (size_t)(tag % c->sets) * c->ways;
    for (uint32_t way = 0; way < c->ways; way++) {
        if (set[way].tag == tag) {
            struct line found = set[way];
            if (use) {
                memmove(set + 1, set, way * sizeof *set);
                set[0] = found;
            }
            return found.valid >> piece % c->pieces & 1;
        }
    }
    return 0;
}

/* Puts a piece into a cache. */
static inline void keep(struct cache *c, uint32_t piece) {
    if (!c->sets) {
        return;
    }
    uint32_t tag = piece / c->pieces;
    struct line *set = c->lines + (size_t)(tag % c->sets) * c->ways;
    uint32_t way = 0;
    while (way + 1 < c->ways && set[way].tag != tag) {
        way++;
    }
    struct line found = set[way];
    if (found.tag != tag) {
        found.tag = tag;
        found.valid = 0;
    }
    found.valid |= 1u << piece % c->pieces;
    memmove(set + 1, set, way * sizeof *set);
    set[0] = found;
}

/* Reads a piece that is needed now; returns what it waits. A prefetch under way is over, or ends first. */
static inline uint64_t read_now(struct flash *f, uint64_t now) {
    uint64_t start = now;
    if (f->free_at > now) {
        if (f->reading.aborts && f->ahead != NONE && f->ahead_at > now) {
            f->ahead = NONE;
        } else {
            start = f->free_at;
        }
    }
    f->free_at = start + f->reading.waits + 1;
    return start + f->reading.waits - now;
}

static inline void read_ahead(struct flash *f, uint32_t piece, uint64_t now) {
    if (f->prefetch == NO_PREFETCH || piece == f->ahead || (f->prefetch == BESIDE && held(&f->code, piece, 0))) {
        return;
    }
    uint64_t start = f->free_at > now + 1 ? f->free_at : now + 1;
    f->ahead = piece;
    f->ahead_at = start + f->reading.waits;
    f->free_at = f->ahead_at + 1;
}

/* Takes a piece that was read ahead; returns what it waits. */
static inline uint64_t take_ahead(struct flash *f, struct cache *c, uint64_t now) {
    uint64_t waited = f->ahead_at > now ? f->ahead_at - now : 0;
    if (waited || f->reading.absorbs) {
        keep(c, f->ahead);
    }
    f->ahead = NONE;
    return waited;
}

/* An instruction of another piece than the one before it. */
static inline uint64_t fetch(struct flash *f, uint32_t piece, uint64_t now) {
    uint64_t waited = 0;
    if (piece == f->current) {
        return 0;
    }
    f->current = piece;
    if (held(&f->code, piece, 1)) {
        if (f->prefetch == BESIDE) {
            read_ahead(f, piece + 1, now);
        }
        return 0;
    }
    if (piece == f->ahead) {
        waited = take_ahead(f, &f->code, now);
    } else {
        waited = read_now(f, now);
        keep(&f->code, piece);
    }
    read_ahead(f, piece + 1, now + waited);
    return waited;
}

/* A constant that the program loads. */
static inline uint64_t load(struct flash *f, uint32_t piece, uint64_t now) {
    if (held(f->data, piece, 1) || (!f->data->sets && piece == f->constant)) {
        return 0;
    }
    f->constant = piece;
    uint64_t waited;
    uint32_t interrupted = NONE;
    if (f->data == &f->code && piece == f->ahead) {
        waited = take_ahead(f, f->data, now);
    } else {
        interrupted = f->ahead_at > now ? f->ahead : NONE;
        waited = read_now(f, now);
        keep(f->data, piece);
    }
    if (f->reading.constants_ahead) {
        read_ahead(f, piece + 1, now + waited);
    } else if (f->ahead == NONE && interrupted != NONE) {
        read_ahead(f, interrupted, now + waited);
    }
    return waited;
}

#endif
