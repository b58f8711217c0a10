/* Counts how control passes between the basic blocks an emulator executes, and models the instruction cache.
 *
 * The emulator calls tracer_block before every block, so this must be quick: a block is found by its address in a
 * table, its successors in a short list, and the cache lines it touches are worked out once. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

typedef int (*stop_function)(void *engine);

struct block {
    uint32_t address, size;
    uint32_t sibling;    /* a block of the same address translated to another extent, plus one; or 0 */
    uint32_t first_edge; /* index into edges, or NONE */
    uint32_t first_line, lines; /* range of touched lines */
    uint64_t misses;
};

struct edge {
    uint32_t from, to; /* block indices; NONE: the caller of the program */
    uint32_t next;     /* another edge of the same block, or NONE */
    uint64_t count;
};

struct tracer {
    uint32_t base, size; /* of the code, in bytes */
    const uint32_t *literals; /* for each halfword of code the literal it loads, or 0 */
    uint32_t *block_at; /* for each halfword of code its block plus one, or 0 */
    struct block *blocks;
    uint32_t block_count, block_room;
    struct edge *edges;
    uint32_t edge_count, edge_room;
    uint32_t *lines;
    uint32_t line_count, line_room;
    uint32_t entry_edges; /* edges from the caller */
    uint32_t previous;
    uint32_t line_size, sets, ways; /* no cache: sets is 0 */
    uint32_t *tags; /* [sets][ways], the latest used first; NONE: empty */
    uint64_t halfwords, limit;
    stop_function stop;
    int failed; /* 1: out of memory, 2: code outside the image, 3: limit reached */
};

static int grow(void **data, uint32_t *room, uint32_t count, size_t item) {
    if (count < *room) {
        return 1;
    }
    uint32_t wanted = *room ? 2 * *room : 256;
    void *larger = realloc(*data, wanted * item);
    if (!larger) {
        return 0;
    }
    *data = larger;
    *room = wanted;
    return 1;
}

void tracer_free(struct tracer *t) {
    if (t) {
        free(t->block_at);
        free(t->blocks);
        free(t->edges);
        free(t->lines);
        free(t->tags);
        free(t);
    }
}

/* `literals` must outlive the tracer; a cache of 0 sets is none. */
struct tracer *tracer_new(uint32_t base, uint32_t size, const uint32_t *literals, uint32_t line_size, uint32_t sets,
                          uint32_t ways, uint64_t limit, stop_function stop) {
    struct tracer *t = calloc(1, sizeof *t);
    if (!t) {
        return NULL;
    }
    t->base = base;
    t->size = size;
    t->literals = literals;
    t->line_size = line_size;
    t->sets = sets;
    t->ways = ways;
    t->limit = limit;
    t->stop = stop;
    t->entry_edges = NONE;
    t->previous = NONE;
    t->block_at = calloc(size / 2 + 1, sizeof *t->block_at);
    t->tags = malloc(((size_t)sets * ways + 1) * sizeof *t->tags);
    if (!t->block_at || !t->tags) {
        tracer_free(t);
        return NULL;
    }
    memset(t->tags, 0xff, (size_t)sets * ways * sizeof *t->tags);
    return t;
}

static int add_line(struct tracer *t, uint32_t line) {
    if (!grow((void **)&t->lines, &t->line_room, t->line_count, sizeof *t->lines)) {
        return 0;
    }
    t->lines[t->line_count++] = line;
    return 1;
}

/* Lists the lines a block touches in order: each fetched line once, each literal where its load stands. */
static int list_lines(struct tracer *t, struct block *block) {
    uint32_t fetched = NONE;
    block->first_line = t->line_count;
    for (uint32_t offset = 0; t->sets && offset < block->size; offset += 2) {
        uint32_t address = block->address + offset;
        uint32_t literal = t->literals[(address - t->base) / 2];
        if (address / t->line_size != fetched) {
            fetched = address / t->line_size;
            if (!add_line(t, fetched)) {
                return 0;
            }
        }
        if (literal && !add_line(t, literal / t->line_size)) {
            return 0;
        }
    }
    block->lines = t->line_count - block->first_line;
    return 1;
}

static uint32_t find_block(struct tracer *t, uint32_t address, uint32_t size) {
    uint32_t *slot = &t->block_at[(address - t->base) / 2];
    for (uint32_t at = *slot; at; at = t->blocks[at - 1].sibling) {
        if (t->blocks[at - 1].size == size) {
            return at - 1;
        }
    }
    if (!grow((void **)&t->blocks, &t->block_room, t->block_count, sizeof *t->blocks)) {
        return NONE;
    }
    struct block *block = &t->blocks[t->block_count];
    *block = (struct block){.address = address, .size = size, .sibling = *slot, .first_edge = NONE};
    if (!list_lines(t, block)) {
        return NONE;
    }
    *slot = ++t->block_count;
    return t->block_count - 1;
}

static int count_edge(struct tracer *t, uint32_t from, uint32_t to) {
    uint32_t *head = from == NONE ? &t->entry_edges : &t->blocks[from].first_edge;
    for (uint32_t at = *head; at != NONE; at = t->edges[at].next) {
        if (t->edges[at].to == to) {
            t->edges[at].count++;
            return 1;
        }
    }
    if (!grow((void **)&t->edges, &t->edge_room, t->edge_count, sizeof *t->edges)) {
        return 0;
    }
    t->edges[t->edge_count] = (struct edge){.from = from, .to = to, .next = *head, .count = 1};
    *head = t->edge_count++;
    return 1;
}

static void touch_lines(struct tracer *t, struct block *block) {
    for (uint32_t i = 0; i < block->lines; i++) {
        uint32_t line = t->lines[block->first_line + i];
        uint32_t *set = &t->tags[(size_t)(line % t->sets) * t->ways];
        uint32_t way = 0;
        while (way < t->ways && set[way] != line) {
            way++;
        }
        if (way == t->ways) {
            block->misses++;
            way--;
        }
        memmove(set + 1, set, way * sizeof *set);
        set[0] = line;
    }
}

/* The emulator's hook. */
void tracer_block(void *engine, uint64_t address, uint32_t size, void *data) {
    struct tracer *t = data;
    if (address < t->base || address + size > (uint64_t)t->base + t->size) {
        t->failed = 2;
    } else {
        uint32_t block = find_block(t, (uint32_t)address, size);
        if (block == NONE || !count_edge(t, t->previous, block)) {
            t->failed = 1;
        } else {
            t->previous = block;
            touch_lines(t, &t->blocks[block]);
            t->halfwords += size / 2;
            if (t->halfwords > t->limit) {
                t->failed = 3;
            }
        }
    }
    if (t->failed) {
        t->stop(engine);
    }
}

/* Ends a run: control passes from the last block to the caller. The cache keeps its contents. */
int tracer_end(struct tracer *t) {
    if (!t->failed && t->previous != NONE && !count_edge(t, t->previous, NONE)) {
        t->failed = 1;
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
