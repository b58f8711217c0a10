/* Counts how control passes between the basic blocks an emulator executes, and what they wait for the flash.
 *
 * The emulator calls tracer_block before every block, so this must be quick: a block is found by its address in a
 * table, its successors in a short list. What a block touches in memory, and in which of its cycles, is asked of its
 * owner once: pieces of code and literals, and loads at a register's value plus a constant, whose addresses are worked
 * out at every execution. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "flash_model.h"

#define MAX_TOUCHES 8192
#define MAX_RANGES 4
#define MAX_READINGS 8
#define REGISTERS 16
#define SETTLED 16 /* executions after which a load that never read flash is no longer watched */

enum failure { OUT_OF_MEMORY = 1, OUTSIDE, TOO_LONG, UNDESCRIBED };
enum seen { SEEN_FLASH = 1, SEEN_ELSEWHERE = 2 };

struct touch {
    uint32_t offset; /* address, or what is added to the register */
    uint32_t size;   /* bytes; 0: only the memory is known, not what is read */
    int32_t reg;     /* register number, or -1 for none */
    uint32_t access; /* index of the load in `seen`, for touches with a register */
    uint32_t cycle;  /* of the block, in which it happens if nothing waits */
    uint32_t code;   /* whether it is an instruction, not a constant */
};

struct description {
    uint32_t touches;
    uint32_t falls, leaves; /* cycles of the block if nothing waits: its last branch not taken, taken */
};

struct range {
    uint32_t base, size; /* of code, in bytes */
};

typedef int (*stop_function)(void *engine);
typedef int (*register_function)(void *engine, int id, void *value);
/* Fills in a description and up to `room` touches; returns 0 on failure. */
typedef int (*describe_function)(uint32_t address, uint32_t size, struct description *description,
                                 struct touch *touches, uint32_t room);

struct setup {
    struct range code[MAX_RANGES];
    uint32_t code_count;
    struct flash_setup flash;
    struct reading readings[MAX_READINGS];
    uint32_t reading_count;      /* 0: nothing waits */
    uint64_t limit;              /* halfwords of code a run may execute */
    int register_ids[REGISTERS]; /* the emulator's names of r0 to r15 */
    stop_function stop;
    register_function read_register;
    describe_function describe;
};

struct block {
    uint32_t address, size;
    uint32_t sibling;    /* a block of the same address translated to another extent, plus one; or 0 */
    uint32_t first_edge; /* index into edges, or NONE */
    uint32_t first_touch;
    struct description is;
    uint32_t executions; /* up to SETTLED */
    uint64_t waits[MAX_READINGS];
};

struct edge {
    uint32_t from, to; /* block indices; NONE: the caller of the program */
    uint32_t next;     /* another edge of the same block, or NONE */
    uint64_t count;
};

struct tracer {
    struct setup setup;
    uint32_t *block_at[MAX_RANGES]; /* for each halfword of code its block plus one, or 0 */
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
    struct flash flash[MAX_READINGS];
    uint64_t now;                  /* cycles since the start, if nothing waited */
    uint64_t waited[MAX_READINGS]; /* since the start */
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
        for (int i = 0; i < MAX_RANGES; i++) {
            free(t->block_at[i]);
        }
        for (int i = 0; i < MAX_READINGS; i++) {
            flash_free(&t->flash[i]);
        }
        free(t->blocks);
        free(t->edges);
        free(t->touches);
        free(t->seen);
        free(t);
    }
}

struct tracer *tracer_new(const struct setup *setup) {
    struct tracer *t = calloc(1, sizeof *t);
    if (!t) {
        return NULL;
    }
    t->setup = *setup;
    t->entry_edges = NONE;
    t->previous = NONE;
    int complete = 1;
    for (uint32_t i = 0; i < setup->code_count; i++) {
        t->block_at[i] = calloc(setup->code[i].size / 2 + 1, sizeof **t->block_at);
        complete &= t->block_at[i] != NULL;
    }
    for (uint32_t i = 0; i < setup->reading_count; i++) {
        complete &= flash_new(&t->flash[i], &setup->flash, &setup->readings[i]);
    }
    if (!complete) {
        tracer_free(t);
        return NULL;
    }
    return t;
}

/* Asks what a block touches. Returns 0 on failure. */
static int describe_block(struct tracer *t, struct block *block) {
    if (!grow((void **)&t->touches, &t->touch_room, t->touch_count + MAX_TOUCHES, sizeof *t->touches)) {
        t->failed = OUT_OF_MEMORY;
        return 0;
    }
    struct touch *touches = t->touches + t->touch_count;
    if (!t->setup.describe(block->address, block->size, &block->is, touches, MAX_TOUCHES)) {
        t->failed = UNDESCRIBED;
        return 0;
    }
    for (uint32_t i = 0; i < block->is.touches; i++) {
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
    t->touch_count += block->is.touches;
    return 1;
}

/* Where the block that starts at an address is noted; NULL outside the code. */
static uint32_t *slot_of(struct tracer *t, uint64_t address, uint32_t size) {
    for (uint32_t i = 0; i < t->setup.code_count; i++) {
        struct range range = t->setup.code[i];
        if (address >= range.base && address + size <= (uint64_t)range.base + range.size) {
            return &t->block_at[i][(address - range.base) / 2];
        }
    }
    return NULL;
}

static uint32_t find_block(struct tracer *t, uint32_t *slot, uint32_t address, uint32_t size) {
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

/* Forgets the loads that need no watching: where nothing waits all, else those that do not read flash. */
static void settle(struct tracer *t, struct block *block) {
    struct touch *touches = t->touches + block->first_touch;
    uint32_t kept = 0;
    int waits = t->setup.reading_count > 0;
    for (uint32_t i = 0; i < block->is.touches; i++) {
        if (touches[i].reg < 0 || (waits && touches[i].size && t->seen[touches[i].access] & SEEN_FLASH)) {
            touches[kept++] = touches[i];
        }
    }
    block->is.touches = kept;
}

/* What a touch of the flash waits, by every reading. */
static void wait_for(struct tracer *t, struct block *block, const struct touch *touch, uint32_t address) {
    uint32_t first = address / t->setup.flash.width, last = (address + touch->size - 1) / t->setup.flash.width;
    for (uint32_t i = 0; i < t->setup.reading_count; i++) {
        for (uint32_t piece = first; piece <= last; piece++) {
            uint64_t now = t->now + touch->cycle + t->waited[i];
            uint64_t waited = (touch->code ? fetch : load)(&t->flash[i], piece, now);
            t->waited[i] += waited;
            block->waits[i] += waited;
        }
    }
}

static void touch_memory(struct tracer *t, struct block *block, void *engine) {
    uint32_t values[REGISTERS];
    uint32_t valid = 0;
    const struct touch *touch = t->touches + block->first_touch;
    for (const struct touch *end = touch + block->is.touches; touch < end; touch++) {
        uint32_t address = touch->offset;
        if (touch->reg >= 0) {
            if (!(valid >> touch->reg & 1)) {
                t->setup.read_register(engine, t->setup.register_ids[touch->reg], &values[touch->reg]);
                valid |= 1u << touch->reg;
            }
            address += values[touch->reg];
            if (address < t->setup.flash.start || address >= t->setup.flash.end) {
                t->seen[touch->access] |= SEEN_ELSEWHERE;
                continue;
            }
            t->seen[touch->access] |= SEEN_FLASH;
        }
        if (touch->size) {
            wait_for(t, block, touch, address);
        }
    }
    if (block->executions < SETTLED && ++block->executions == SETTLED) {
        settle(t, block);
    }
}

/* Time passes while the block before runs: as long as its way to this one takes. */
static void pass_time(struct tracer *t, uint32_t address) {
    if (t->previous != NONE) {
        const struct block *before = &t->blocks[t->previous];
        t->now += before->address + before->size == address ? before->is.falls : before->is.leaves;
    }
}

/* The emulator's hook. */
void tracer_block(void *engine, uint64_t address, uint32_t size, void *data) {
    struct tracer *t = data;
    uint32_t *slot = slot_of(t, address, size);
    if (!slot) {
        t->failed = OUTSIDE;
    } else {
        uint32_t block = find_block(t, slot, (uint32_t)address, size);
        if (block != NONE) {
            pass_time(t, (uint32_t)address);
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

/* Ends a run: control passes from the last block to the caller. Caches keep their contents. Returns the failure. */
int tracer_end(struct tracer *t) {
    if (!t->failed && t->previous != NONE) {
        count_edge(t, t->previous, NONE);
    }
    if (t->previous != NONE) {
        t->now += t->blocks[t->previous].is.leaves;
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

/* Copies what was counted since the last call and resets the counts. `blocks` [n][2]: address, size; `waits`
 * [n][readings]; `edges` [m][2]: block indices; `counts` [m]. */
void tracer_take(struct tracer *t, uint32_t *blocks, uint64_t *waits, uint32_t *edges, uint64_t *counts) {
    uint32_t readings = t->setup.reading_count;
    for (uint32_t i = 0; i < t->block_count; i++) {
        blocks[2 * i] = t->blocks[i].address;
        blocks[2 * i + 1] = t->blocks[i].size;
        memcpy(waits + (size_t)i * readings, t->blocks[i].waits, readings * sizeof *waits);
        memset(t->blocks[i].waits, 0, sizeof t->blocks[i].waits);
    }
    for (uint32_t i = 0; i < t->edge_count; i++) {
        edges[2 * i] = t->edges[i].from;
        edges[2 * i + 1] = t->edges[i].to;
        counts[i] = t->edges[i].count;
        t->edges[i].count = 0;
    }
}
