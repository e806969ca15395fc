/* Vectors of floats, one image a lane, in the extensions that gcc, clang and zig share.

   LANES is the widest that the processor has. Loops over lanes are left to the compiler. */
#ifndef VECTORS_H
#define VECTORS_H

#include <stdint.h>
#include <string.h>

#if defined __AVX512F__
#define LANES 16
#elif defined __AVX__
#define LANES 8
#else
#define LANES 4 /* NEON, SSE, and plain C elsewhere */
#endif

/* Output channels that a kernel computes at once: with three sums each they fill the registers. */
#if defined __AVX512F__ || defined __ARM_NEON
#define TILE 8
#else
#define TILE 4
#endif

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")
#define ROLLED _Pragma("GCC unroll 1") /* where gcc would unroll, run out of registers and spill */
#if defined __x86_64__
#define IN_REGISTER(v) __asm__("" : "+v"(v)) /* gcc would load it again for each use */
#else
#define IN_REGISTER(v)
#endif

typedef float vf __attribute__((vector_size(4 * LANES)));
typedef int32_t vi __attribute__((vector_size(4 * LANES)));
typedef uint32_t vu __attribute__((vector_size(4 * LANES)));
typedef int8_t vb __attribute__((vector_size(LANES)));

INLINE vf all(float value) { return (vf){} + value; }

/* Masks are -1 in lanes where a condition holds, and 0 elsewhere. */
INLINE vf where(vi mask, vf yes, vf no) { return (vf)((mask & (vi)yes) | (~mask & (vi)no)); }
INLINE vf only(vi mask, vf value) { return (vf)(mask & (vi)value); }
INLINE vf larger(vf a, vf b) { return where(a > b, a, b); }
INLINE vf smaller(vf a, vf b) { return where(a < b, a, b); }

/* As loops, because gcc takes __builtin_convertvector lane by lane here. */
INLINE vb narrow(vi wide) {
    vb narrow = {0};
    for (int l = 0; l < LANES; l++) narrow[l] = (int8_t)wide[l];
    return narrow;
}

INLINE vi widen(vb narrow) {
    vi wide = {0};
    for (int l = 0; l < LANES; l++) wide[l] = narrow[l];
    return wide;
}

INLINE vi truncated(vf v) {
    vi whole = {0};
    for (int l = 0; l < LANES; l++) whole[l] = (int32_t)v[l];
    return whole;
}

INLINE vf floats(vi v) {
    vf f = {0};
    for (int l = 0; l < LANES; l++) f[l] = (float)v[l];
    return f;
}

/* The sum of all lanes, always in the same order. */
INLINE float total(vf v) {
    float lane[LANES];
    memcpy(lane, &v, sizeof v);
    for (int n = LANES / 2; n; n /= 2)
        for (int l = 0; l < n; l++) lane[l] += lane[l + n];
    return lane[0];
}

#endif
