/* What a kernel multiplies: floats, or pairs of bf16 whose products an AVX-512 instruction adds up.

   A convolution sums over channels, and a kernel's gradient over images. So activations and their
   gradients are kept in two forms: `by_channel` for convolutions, where a pair is two channels of
   one image, and `by_image` for gradients of kernels, where a pair is two images of one channel.
   In floats there are no pairs, and both forms are the same memory. Sums are always floats. */
#ifndef OPERANDS_H
#define OPERANDS_H

#include "vectors.h"

#ifdef BF16
#ifndef __AVX512BF16__
#error "products of bf16 need AVX-512 with BF16"
#endif
#include <immintrin.h>

enum { PAIR = 2 };
typedef vu vo;
typedef uint32_t weight;

INLINE vf multiply_add(vf sum, vo a, vo b) {
    return (vf)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
}
INLINE vo repeated(weight w) { return (vo){} + w; }

/* Rounded to nearest, ties to even. The instruction puts all `low` before all `high`. */
INLINE vo pair(vf low, vf high) {
    static const int16_t lanes[32] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                      8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    const __m512i both = (__m512i)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
    return (vo)_mm512_permutexvar_epi16(_mm512_loadu_si512(lanes), both);
}
INLINE weight weight_pair(float low, float high) { return pair(all(low), all(high))[0]; }
INLINE vf rounded(vf v) { return (vf)(pair(all(0), v) & 0xffff0000); }
/* Where one image's value of a by_image pair is not 0. */
INLINE vi is_set(vo v, int half) { return (v & (half ? 0xffff0000 : 0xffff)) != 0; }

#else

enum { PAIR = 1 };
typedef vf vo;
typedef float weight;

INLINE vf multiply_add(vf sum, vo a, vo b) { return sum + a * b; }
INLINE vo repeated(weight w) { return all(w); }
INLINE vo pair(vf low, vf high) { (void)high; return low; }
INLINE weight weight_pair(float low, float high) { (void)high; return low; }
INLINE vf rounded(vf v) { return v; }
INLINE vi is_set(vo v, int half) { (void)half; return v != 0; }

#endif

enum { HALVES = PAIR }; /* vectors of images in a block */
enum { IMAGES = HALVES * LANES }; /* images in a block */

typedef struct { vo *by_channel, *by_image; } Packed; /* [half][channel / PAIR][place], [channel][place] */

/* Keep the values of channels c and, in pairs, c + 1 at one place: v[half][channel]. */
INLINE void keep(Packed to, int channels, int places, int c, int place, vf v[HALVES][PAIR]) {
    for (int h = 0; h < HALVES; h++)
        to.by_channel[(h * (channels / PAIR) + c / PAIR) * places + place] = pair(v[h][0], v[h][PAIR - 1]);
    if (PAIR == 2)
        for (int j = 0; j < PAIR; j++)
            to.by_image[(c + j) * places + place] = pair(v[0][j], v[HALVES - 1][j]);
}

#endif
