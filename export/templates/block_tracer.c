/* Counts how control passes between the basic blocks an emulator executes, and models the instruction cache.
 *
 * The emulator calls tracer_block before every block, so this must be quick: a block is found by its address in a
 * table, its successors in a short list. What a block touches in memory is asked of its owner once: lines of code and
 * literals, and loads at a register's value plus a constant, whose addresses are worked out at every execution. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX
#define MAX_TOUCHES 4096
#define REGISTERS 16
#define SETTLED 16 /* executions after which a load that never read flash is no longer watched */

enum failure { OUT_OF_MEMORY = 1, OUTSIDE, TOO_LONG, UNDESCRIBED };
enum seen { SEEN_FLASH = 1, SEEN_ELSEWHERE = 2 };

struct touch {
    uint32_t offset; /* address, or what is added to the register */
    uint32_t size;   /* bytes; 0: only the memory is known, the cache is not looked up */
    int32_t reg;     /* register number, or -1 for none */
    uint32_t access; /* index of the load in `seen`, for touches with a register */
};

typedef int (*stop_function)(void *engine);
typedef int (*register_function)(void *engine, int id, void *value);
typedef int (*describe_function)(uint32_t address, uint32_t size, struct touch *touches, uint32_t room);

struct setup {
    uint32_t base, size;             /* of the code, in bytes */
    uint32_t flash_start, flash_end; /* what loads may read constants from */
    uint32_t line, sets, ways;       /* of the cache; sets 0: none */
    uint64_t limit;                  /* halfwords of code a run may execute */
    int register_ids[REGISTERS];     /* the emulator's names of r0 to r15 */
    stop_function stop;
    register_function read_register;
    describe_function describe; /* returns how many touches, or -1 */
};

struct block {
    uint32_t address, size;
    uint32_t sibling;    /* a block of the same address translated to another extent, plus one; or 0 */
    uint32_t first_edge; /* index into edges, or NONE */
    uint32_t first_touch, touches;
    uint32_t executions; /* up to SETTLED */
    uint64_t misses;
};

struct edge {
    uint32_t from, to; /* block indices; NONE: the caller of the program */
    uint32_t next;     /* another edge of the same block, or NONE */
    uint64_t count;
};

struct tracer {
    struct setup setup;
    uint32_t *block_at; /* for each halfword of code its block plus one, or 0 */
    struct block *blocks;
    uint32_t block_count, block_room;
    struct edge *edges;
    uint32_t edge_count, edge_room;
    struct touch *touches;
    uint32_t touch_count, touch_room;
    uint8_t *seen; /* for each load what it has read: enum seen */
    uint32_t seen_count, seen_room;
    uint32_t entry_edges; /* edges from the caller */
    uint32_t previous;
    uint32_t *tags; /* [sets][ways], the latest used first; NONE: empty */
    uint64_t halfwords;
    int failed; /* enum failure */
};

static int grow(void **data, uint32_t *room, uint32_t wanted, size_t item) {
    if (wanted <= *room) {
        return 1;
    }
    uint32_t larger_room = wanted > 2 * *room ? wanted : 2 * *room;
    void *larger = realloc(*data, larger_room * item);
    if (!larger) {
        return 0;
    }
    *data = larger;
    *room = larger_room;
    return 1;
}

void tracer_free(struct tracer *t) {
    if (t) {
        free(t->block_at);
        free(t->blocks);
        free(t->edges);
        free(t->touches);
        free(t->seen);
        free(t->tags);
        free(t);
    }
}

struct tracer *tracer_new(const struct setup *setup) {
    struct tracer *t = calloc(1, sizeof *t);
    if (!t) {
        return NULL;
    }
    size_t lines = (size_t)setup->sets * setup->ways;
    t->setup = *setup;
    t->entry_edges = NONE;
    t->previous = NONE;
    t->block_at = calloc(setup->size / 2 + 1, sizeof *t->block_at);
    t->tags = malloc((lines + 1) * sizeof *t->tags);
    if (!t->block_at || !t->tags) {
        tracer_free(t);
        return NULL;
    }
    memset(t->tags, 0xff, lines * sizeof *t->tags);
    return t;
}

/* Asks what a block touches. Returns 0 on failure. */
static int describe_block(struct tracer *t, struct block *block) {
    if (!grow((void **)&t->touches, &t->touch_room, t->touch_count + MAX_TOUCHES, sizeof *t->touches)) {
        t->failed = OUT_OF_MEMORY;
        return 0;
    }
    struct touch *touches = t->touches + t->touch_count;
    int count = t->setup.describe(block->address, block->size, touches, MAX_TOUCHES);
    if (count < 0) {
        t->failed = UNDESCRIBED;
        return 0;
    }
    for (int i = 0; i < count; i++) {
        if (touches[i].reg >= 0 && touches[i].access >= t->seen_count) {
            if (!grow((void **)&t->seen, &t->seen_room, touches[i].access + 1, sizeof *t->seen)) {
                t->failed = OUT_OF_MEMORY;
                return 0;
            }
            memset(t->seen + t->seen_count, 0, touches[i].access + 1 - t->seen_count);
            t->seen_count = touches[i].access + 1;
        }
    }
    block->first_touch = t->touch_count;
    block->touches = (uint32_t)count;
    t->touch_count += (uint32_t)count;
    return 1;
}

static uint32_t find_block(struct tracer *t, uint32_t address, uint32_t size) {
    uint32_t *slot = &t->block_at[(address - t->setup.base) / 2];
    for (uint32_t at = *slot; at; at = t->blocks[at - 1].sibling) {
        if (t->blocks[at - 1].size == size) {
            return at - 1;
        }
    }
    if (!grow((void **)&t->blocks, &t->block_room, t->block_count + 1, sizeof *t->blocks)) {
        t->failed = OUT_OF_MEMORY;
        return NONE;
    }
    struct block *block = &t->blocks[t->block_count];
    *block = (struct block){.address = address, .size = size, .sibling = *slot, .first_edge = NONE};
    if (!describe_block(t, block)) {
        return NONE;
    }
    *slot = ++t->block_count;
    return t->block_count - 1;
}

static void count_edge(struct tracer *t, uint32_t from, uint32_t to) {
    uint32_t *head = from == NONE ? &t->entry_edges : &t->blocks[from].first_edge;
    for (uint32_t at = *head; at != NONE; at = t->edges[at].next) {
        if (t->edges[at].to == to) {
            t->edges[at].count++;
            return;
        }
    }
    if (!grow((void **)&t->edges, &t->edge_room, t->edge_count + 1, sizeof *t->edges)) {
        t->failed = OUT_OF_MEMORY;
        return;
    }
    t->edges[t->edge_count] = (struct edge){.from = from, .to = to, .next = *head, .count = 1};
    *head = t->edge_count++;
}

/* Looks lines up in the cache; returns how many were missing. */
static uint32_t look_up(struct tracer *t, uint32_t address, uint32_t size) {
    uint32_t misses = 0;
    uint32_t ways = t->setup.ways;
    for (uint32_t line = address / t->setup.line; line <= (address + size - 1) / t->setup.line; line++) {
        uint32_t *set = &t->tags[(size_t)(line % t->setup.sets) * ways];
        uint32_t way = 0;
        while (way < ways && set[way] != line) {
            way++;
        }
        if (way == ways) {
            misses++;
            way--;
        }
        memmove(set + 1, set, way * sizeof *set);
        set[0] = line;
    }
    return misses;
}

/* Forgets the loads that need no watching: without a cache all, else those that do not read flash. */
static void settle(struct tracer *t, struct block *block) {
    struct touch *touches = t->touches + block->first_touch;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < block->touches; i++) {
        if (touches[i].reg < 0 || (t->setup.sets && touches[i].size && t->seen[touches[i].access] & SEEN_FLASH)) {
            touches[kept++] = touches[i];
        }
    }
    block->touches = kept;
}

static void touch_memory(struct tracer *t, struct block *block, void *engine) {
    uint32_t values[REGISTERS];
    uint32_t valid = 0;
    const struct touch *touch = t->touches + block->first_touch;
    for (const struct touch *end = touch + block->touches; touch < end; touch++) {
        uint32_t address = touch->offset;
        if (touch->reg >= 0) {
            if (!(valid >> touch->reg & 1)) {
                t->setup.read_register(engine, t->setup.register_ids[touch->reg], &values[touch->reg]);
                valid |= 1u << touch->reg;
            }
            address += values[touch->reg];
            if (address < t->setup.flash_start || address >= t->setup.flash_end) {
                t->seen[touch->access] |= SEEN_ELSEWHERE;
                continue;
            }
            t->seen[touch->access] |= SEEN_FLASH;
        }
        if (t->setup.sets && touch->size) {
            block->misses += look_up(t, address, touch->size);
        }
    }
    if (block->executions < SETTLED && ++block->executions == SETTLED) {
        settle(t, block);
    }
}

/* The emulator's hook. */
void tracer_block(void *engine, uint64_t address, uint32_t size, void *data) {
    struct tracer *t = data;
    if (address < t->setup.base || address + size > (uint64_t)t->setup.base + t->setup.size) {
        t->failed = OUTSIDE;
    } else {
        uint32_t block = find_block(t, (uint32_t)address, size);
        if (block != NONE) {
            count_edge(t, t->previous, block);
            t->previous = block;
            touch_memory(t, &t->blocks[block], engine);
            t->halfwords += size / 2;
            if (t->halfwords > t->setup.limit) {
                t->failed = TOO_LONG;
            }
        }
    }
    if (t->failed) {
        t->setup.stop(engine);
    }
}

/* Ends a run: control passes from the last block to the caller. The cache keeps its contents. Returns the failure. */
int tracer_end(struct tracer *t) {
    if (!t->failed && t->previous != NONE) {
        count_edge(t, t->previous, NONE);
    }
    t->previous = NONE;
    t->halfwords = 0;
    return t->failed;
}

uint32_t tracer_block_count(const struct tracer *t) {
    return t->block_count;
}

uint32_t tracer_edge_count(const struct tracer *t) {
    return t->edge_count;
}

/* Copies what each of the first `count` loads has read: enum seen. */
void tracer_seen(const struct tracer *t, uint8_t *seen, uint32_t count) {
    memset(seen, 0, count);
    memcpy(seen, t->seen, count < t->seen_count ? count : t->seen_count);
}

/* Copies what was counted since the last call and starts counting anew. `blocks` [n][2]: address, size; `misses` [n];
 * `edges` [m][2]: block indices; `counts` [m]. */
void tracer_take(struct tracer *t, uint32_t *blocks, uint64_t *misses, uint32_t *edges, uint64_t *counts) {
    for (uint32_t i = 0; i < t->block_count; i++) {
        blocks[2 * i] = t->blocks[i].address;
        blocks[2 * i + 1] = t->blocks[i].size;
        misses[i] = t->blocks[i].misses;
        t->blocks[i].misses = 0;
    }
    for (uint32_t i = 0; i < t->edge_count; i++) {
        edges[2 * i] = t->edges[i].from;
        edges[2 * i + 1] = t->edges[i].to;
        counts[i] = t->edges[i].count;
        t->edges[i].count = 0;
    }
}
