/* Threads that share out the blocks of a phase.

   Each thread starts with its own blocks, which are in its cache, then takes what others have not
   begun. Results are kept by block, so they do not depend on who computed what. Waiting threads
   spin for a moment, because the next phase is near, and then sleep: on a busy core, a thread that
   keeps spinning would hold up the very thread it waits for. */
#ifndef POOL_H
#define POOL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { MOST_THREADS = 64, MOST_BLOCKS = 4096, SPINS = 4000 };

typedef void Task(void *context, int block, int thread);

typedef struct Pool Pool;
typedef struct { Pool *pool; int number; pthread_t id; } Worker;
struct Pool {
    int threads, blocks;
    Task *task; /* NULL: the workers end */
    void *context;
    atomic_int phase, busy; /* the number of the phase, and of threads still in it */
    atomic_bool taken[MOST_BLOCKS];
    pthread_mutex_t lock;
    pthread_cond_t changed;
    Worker worker[MOST_THREADS];
};

static void pause_briefly(void) {
#if defined __x86_64__
    __builtin_ia32_pause();
#elif defined __aarch64__
    __asm__ volatile("yield");
#endif
}

/* Wait until `value` is no longer `old`. */
static void wait_for_change(Pool *pool, atomic_int *value, int old) {
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(value, memory_order_acquire) != old) return;
        pause_briefly();
    }
    pthread_mutex_lock(&pool->lock);
    while (atomic_load(value) == old) pthread_cond_wait(&pool->changed, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

/* Change `value` and wake whoever sleeps. */
static void add(Pool *pool, atomic_int *value, int amount) {
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add(value, amount);
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
}

static void take_blocks(Pool *pool, int thread) {
    int first = pool->blocks * thread / pool->threads;
    for (int i = 0; i < pool->blocks; i++) {
        int block = (first + i) % pool->blocks;
        if (!atomic_exchange(&pool->taken[block], 1)) pool->task(pool->context, block, thread);
    }
}

static void *work(void *argument) {
    Worker *self = argument;
    Pool *pool = self->pool;
    for (int phase = 0;; phase++) {
        wait_for_change(pool, &pool->phase, phase);
        if (!pool->task) return NULL;
        take_blocks(pool, self->number);
        add(pool, &pool->busy, -1);
    }
}

/* Call `task` for each of `blocks` blocks, and return when all are done. */
static void run(Pool *pool, Task *task, void *context, int blocks) {
    pool->task = task, pool->context = context, pool->blocks = blocks;
    for (int b = 0; b < blocks; b++) atomic_store_explicit(&pool->taken[b], 0, memory_order_relaxed);
    if (pool->threads > 1) {
        atomic_store(&pool->busy, pool->threads - 1);
        add(pool, &pool->phase, 1);
    }
    take_blocks(pool, 0);
    for (int left; pool->threads > 1 && (left = atomic_load(&pool->busy));) wait_for_change(pool, &pool->busy, left);
}

/* Return a pool of `threads`, the calling one included, or fewer if the system refuses more. */
static Pool *pool_new(int threads) {
    Pool *pool = calloc(1, sizeof *pool);
    if (!pool) return NULL;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->changed, NULL);
    if (threads > MOST_THREADS) threads = MOST_THREADS;
    for (pool->threads = 1; pool->threads < threads; pool->threads++) {
        Worker *next = &pool->worker[pool->threads];
        *next = (Worker){pool, pool->threads, 0};
        if (pthread_create(&next->id, NULL, work, next)) break;
    }
    return pool;
}

static void pool_free(Pool *pool) {
    pool->task = NULL;
    add(pool, &pool->phase, 1);
    for (int t = 1; t < pool->threads; t++) pthread_join(pool->worker[t].id, NULL);
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->changed);
    free(pool);
}

#endif
