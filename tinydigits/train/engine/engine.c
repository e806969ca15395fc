/* A training step of the net of 13,034 parameters, on the processor.

   vectors.h      vectors of floats, one image a lane
   operands.h     what a kernel multiplies: floats, or pairs of bf16
   convolution.h  the kernels, where the time goes
   net.h          the layers, forward and back, in phases
   view.h         digits to net input: augmentation and light
   optimizers.h   Adam and Muon
   pool.h         threads

   Python calls the functions below; they need nothing but libc and its threads. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "net.h"
#include "optimizers.h"
#include "view.h"

/* One step's input. Python's ctypes declares the same fields in the same order. */
typedef struct {
    View view;
    Targets targets;
    float dropout;
    uint64_t key;
    float *parameters, *running_mean, *running_variance;
    float *gradient; /* [PARAMETERS], the result */
} Step;

/* Of what `seconds` keeps the time: the phases, after the digits' way to the net, before the update. */
enum { VIEW = PHASES, UPDATE, TIMES };

typedef struct {
    Net net;
    const View *view;
    int phase;
    double seconds[TIMES]; /* in all steps */
    char *memory;          /* in which the arrays of `net` lie */
} Engine;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Memory is laid out twice by the same code: first to measure it, then to use it. */
typedef struct { char *start; size_t used; } Arena;

static void *take(Arena *arena, size_t bytes) {
    void *part = arena->start ? arena->start + arena->used : NULL;
    arena->used += (bytes + 63) / 64 * 64;
    return part;
}

static vf *vectors(Arena *arena, int planes) { return take(arena, (size_t)(HALVES * planes) * sizeof(vf)); }

static Packed packed(Arena *arena, int planes) {
    Packed p = {take(arena, (size_t)(HALVES * planes / PAIR) * sizeof(vo)), NULL};
    p.by_image = PAIR == 2 ? take(arena, (size_t)planes * sizeof(vo)) : p.by_channel;
    return p;
}

static Block new_block(Arena *m) {
    Block k = {.x = vectors(m, PIXELS)};
    if (PAIR == 2) k.x1 = (Packed){take(m, HALVES * PIXELS * sizeof(vo)), take(m, PIXELS * sizeof(vo))};
    else k.x1 = (Packed){(vo *)k.x, (vo *)k.x};
    k.a1 = packed(m, 8 * 676);
    k.z2 = vectors(m, 16 * 576), k.top2 = vectors(m, 16 * 144), k.dp2 = vectors(m, 16 * 144);
    k.p2 = packed(m, 16 * 144), k.from2 = take(m, HALVES * 16 * 144 * sizeof(vb));
    k.z3 = vectors(m, 16 * 100), k.d3 = vectors(m, 16 * 100), k.a3 = packed(m, 16 * 100);
    k.z4 = vectors(m, 24 * 64), k.top4 = vectors(m, 24 * 16), k.dp4 = vectors(m, 24 * 16);
    k.p4 = packed(m, 24 * 16), k.from4 = take(m, HALVES * 24 * 16 * sizeof(vb));
    k.z5 = vectors(m, 24 * 4), k.d5 = vectors(m, 24 * 4);
    k.z6 = vectors(m, 16 * 4), k.d6 = vectors(m, 16 * 4);
    return k;
}

/* The zeros at the ends of rows are never written again. */
static Scratch new_scratch(Arena *m) {
    return (Scratch){packed(m, 8 * 10 * 26), packed(m, 16 * 10 * 28), packed(m, 16 * 10 * 14),
                     packed(m, 24 * 8 * 12), packed(m, 24 * 2 * 6), vectors(m, 8 * 10 * 26)};
}

static void lay_out(Net *net, Arena *m) {
    const size_t blocks = (size_t)net->most_blocks;
    for (int l = 0; l < 5; l++) {
        const size_t weights = (size_t)(NET[l].out * NET[l].in * 9) * sizeof(weight);
        net->forward[l] = take(m, weights);
        net->backward[l] = take(m, weights);
    }
    net->sums = take(m, blocks * sizeof *net->sums);
    net->patches = take(m, blocks * sizeof *net->patches);
    net->gradients = take(m, blocks * sizeof *net->gradients);
    net->block = take(m, blocks * sizeof *net->block);
    net->scratch = take(m, (size_t)net->pool->threads * sizeof *net->scratch);
    for (int b = 0; b < net->most_blocks; b++) {
        const Block block = new_block(m);
        if (m->start) net->block[b] = block;
    }
    for (int t = 0; t < net->pool->threads; t++) {
        const Scratch scratch = new_scratch(m);
        if (m->start) net->scratch[t] = scratch;
    }
}

static void task(void *engine, int block, int thread) {
    Engine *e = engine;
    if (e->phase == VIEW) load(e->view, &e->net, block);
    else phase(&e->net, e->phase, block, thread);
}

static void run_phase(Engine *e, int number) {
    const double since = now();
    e->phase = number;
    run(e->net.pool, task, e, e->net.blocks);
    e->seconds[number] += now() - since;
}

/* ---- what Python calls ---- */

int engine_lanes(void) { return LANES; }

void engine_free(Engine *e) {
    if (e->net.pool) pool_free(e->net.pool);
    free(e->memory);
    free(e);
}

/* The engine for batches of at most `most` images, on `threads` threads; NULL if memory is short. */
Engine *engine_new(int most, int threads) {
    Engine *e = calloc(1, sizeof *e);
    if (!e) return NULL;
    Net *net = &e->net;
    net->most_blocks = (most + IMAGES - 1) / IMAGES;
    for (int l = 0, at = 0, mean = 0; l < LAYERS; l++) {
        const int out = NET[l].out, weights = out * NET[l].in * NET[l].kernel * NET[l].kernel;
        net->at[l] = (Place){at, at + weights, at + weights + out, at + weights + 2 * out, mean};
        at += weights + (l < NORMED ? 3 : 1) * out, mean += out;
    }
    net->pool = pool_new(threads);
    Arena arena = {NULL, 0};
    if (net->pool) {
        lay_out(net, &arena);
        e->memory = aligned_alloc(64, arena.used);
    }
    if (!e->memory) return engine_free(e), NULL;
    memset(e->memory, 0, arena.used);
    arena = (Arena){e->memory, 0};
    lay_out(net, &arena);
    prepare_views();
    return e;
}

/* The losses, logits and gradient of a batch; the running statistics move. */
void engine_gradient(Engine *e, const Step *step) {
    Net *net = &e->net;
    net->batch = step->targets.batch;
    net->blocks = (net->batch + IMAGES - 1) / IMAGES;
    net->parameters = step->parameters;
    net->dropout = step->dropout;
    net->key[0] = (uint32_t)step->key, net->key[1] = (uint32_t)(step->key >> 32);
    net->targets = step->targets;
    e->view = &step->view;
    for (int l = 1; l < 5; l++) {
        pack(step->parameters + net->at[l].weight, NET[l].in, NET[l].out, net->forward[l]);
        pack_turned(step->parameters + net->at[l].weight, NET[l].in, NET[l].out, net->backward[l]);
    }
    double sum[MOST], other[MOST];
    run_phase(e, VIEW);
    run_phase(e, READY);
    pack_first(net);
    first_statistics(net, sum, other);
    normalise(net, 0, sum, other, step->running_mean, step->running_variance);
    for (int l = 1; l < NORMED; l++) {
        run_phase(e, FIRST_TWO - 1 + l);
        add_blocks(net, sum, other);
        normalise(net, l, sum, other, step->running_mean, step->running_variance);
    }
    run_phase(e, LAST);
    for (int l = NORMED - 1; l > 0; l--) {
        add_blocks(net, sum, other);
        normalise_back(net, l, sum, other, net->gradients[0]); /* block 0 of the sum over blocks */
        run_phase(e, LAST + NORMED - l);
    }
    memcpy(step->gradient, net->gradients[0], sizeof *net->gradients);
    for (int b = 1; b < net->blocks; b++)
        for (int i = 0; i < PARAMETERS; i++) step->gradient[i] += net->gradients[b][i];
    first_gradients(net, step->gradient);
}

/* Update the parameters by a gradient. */
void engine_update(Engine *e, const Optimizers *o, const float *gradient, float *parameters) {
    const double since = now();
    for (int l = 0; l < LAYERS; l++) {
        const Place *at = &e->net.at[l];
        const int last = l + 1 < LAYERS ? at[1].weight : PARAMETERS;
        if (o->muon_mean) muon(o, l, at->weight, gradient, parameters);
        adam(o, o->muon_mean ? at->bias : at->weight, last, gradient, parameters);
    }
    e->seconds[UPDATE] += now() - since;
}

/* Seconds that each phase, the view and the update have taken, in the order of `TIMES`. */
const double *engine_seconds(const Engine *e) { return e->seconds; }

/* The net's input for a batch, [batch][784], for tests. */
void engine_view(Engine *e, const Step *step, float *input) {
    Net *net = &e->net;
    net->batch = step->targets.batch;
    net->blocks = (net->batch + IMAGES - 1) / IMAGES;
    for (int b = 0; b < net->blocks; b++) {
        load(&step->view, net, b);
        for (int i = 0; i < IMAGES && b * IMAGES + i < net->batch; i++)
            for (int p = 0; p < PIXELS; p++)
                input[(size_t)(b * IMAGES + i) * PIXELS + p] = net->block[b].x[i / LANES * PIXELS + p][i % LANES];
    }
}

/* What dropout keeps of a batch's pooled layer 2 or 4, [batch][channels * places], for tests. */
void engine_kept(Engine *e, float dropout, uint64_t key, int layer, int batch, float *mask) {
    Net *net = &e->net;
    const int places = layer == 2 ? 2304 : 384;
    net->dropout = dropout;
    net->key[0] = (uint32_t)key, net->key[1] = (uint32_t)(key >> 32);
    for (int n = 0; n < batch; n++)
        for (int i = 0; i < places; i++) {
            const vi found = kept(net, image_keys(n / IMAGES, n % IMAGES / LANES), (layer == 2 ? 0 : 2304) + (uint32_t)i);
            mask[n * places + i] = found[n % LANES] ? 1 : 0;
        }
}
