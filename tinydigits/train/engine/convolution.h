/* The kernels, where a step spends its time: 3x3 convolutions and the gradients of their weights.

   All keep TILE x 3 sums in registers, so that loads are rarer than multiply-adds. */
#ifndef CONVOLUTION_H
#define CONVOLUTION_H

#include "operands.h"

/* Sums of TILE output channels at `wide` neighbouring places. Each weight is repeated once for
   `wide` products, and each input is used for TILE of them. */
INLINE void tile(const vo *in, int plane, int width, int channels, int top, int bottom,
                 const weight *w, const float *bias, vf *out, int out_plane, const int wide) {
    vf sum[TILE][3];
    UNROLL for (int o = 0; o < TILE; o++)
        UNROLL for (int p = 0; p < wide; p++) sum[o][p] = all(bias[o]);
    for (int c = 0; c < channels; c++)
        for (int ky = top; ky < bottom; ky++) {
            const vo *row = in + c * plane + ky * width;
            const weight *kernel = w + (c * 3 + ky) * 3 * TILE;
            ROLLED for (int kx = 0; kx < 3; kx++) {
                vo a[3]; /* by name: gcc would load each again for every output channel */
                UNROLL for (int p = 0; p < wide; p++) a[p] = row[kx + p];
                UNROLL for (int o = 0; o < TILE; o++) {
                    const vo repeat = repeated(kernel[kx * TILE + o]);
                    UNROLL for (int p = 0; p < wide; p++) sum[o][p] = multiply_add(sum[o][p], a[p], repeat);
                }
            }
        }
    UNROLL for (int o = 0; o < TILE; o++)
        UNROLL for (int p = 0; p < wide; p++) out[o * out_plane + p] = sum[o][p];
}

/* One row of a 3x3 convolution for all output channels. `pad` rows above and below the input are
   skipped, not multiplied; at the ends of rows the input must hold its zeros. */
static void conv_row(const vo *in, int height, int width, int channels, int pad, const weight *w,
                     const float *bias, int y, vf *out, int out_plane, int out_channels) {
    const int top = pad > y ? pad - y : 0, bottom = height + pad - y < 3 ? height + pad - y : 3;
    const int wanted = width - 2, plane = height * width;
    in += (y - pad) * width;
    for (int o = 0; o < out_channels; o += TILE, w += channels * 9 * TILE)
        for (int x = 0; x < wanted;) {
            vf *to = out + o * out_plane + x;
            if (wanted - x == 2 || wanted - x == 4) {
                tile(in + x, plane, width, channels, top, bottom, w, bias + o, to, out_plane, 2);
                x += 2;
            } else {
                tile(in + x, plane, width, channels, top, bottom, w, bias + o, to, out_plane, 3);
                x += 3;
            }
        }
}

/* Add the gradient of 3x3 kernels, from rows [0, height) of the output's gradient g. The sums of
   one input channel, TILE output channels and a kernel row stay in registers for all places. */
static void weight_gradient(const vo *in, int in_width, int in_plane, int in_channels, const vo *g,
                            int g_width, int g_plane, int height, int width, int channels, float *dw) {
    for (int c = 0; c < in_channels; c++)
        for (int o = 0; o < channels; o += TILE)
            for (int ky = 0; ky < 3; ky++) {
                vf sum[TILE][3] = {0};
                for (int y = 0; y < height; y++) {
                    const vo *row = in + c * in_plane + (y + ky) * in_width;
                    const vo *up = g + o * g_plane + y * g_width;
                    ROLLED for (int x = 0; x < width; x++) {
                        const vo a[3] = {row[x], row[x + 1], row[x + 2]};
                        UNROLL for (int i = 0; i < TILE; i++) {
                            vo d = up[i * g_plane + x];
                            IN_REGISTER(d);
                            UNROLL for (int kx = 0; kx < 3; kx++) sum[i][kx] = multiply_add(sum[i][kx], d, a[kx]);
                        }
                    }
                }
                UNROLL for (int i = 0; i < TILE; i++)
                    UNROLL for (int kx = 0; kx < 3; kx++)
                        dw[(((o + i) * in_channels + c) * 3 + ky) * 3 + kx] += total(sum[i][kx]);
            }
}

/* Order 3x3 kernels [out][in][9] as tile() reads them: [out / TILE][in / PAIR][9][TILE]. */
static void pack(const float *w, int in, int out, weight *packed) {
    const int pairs = (in + PAIR - 1) / PAIR;
    for (int o = 0; o < out; o++)
        for (int c = 0; c < in; c += PAIR)
            for (int k = 0; k < 9; k++)
                packed[((o / TILE * pairs + c / PAIR) * 9 + k) * TILE + o % TILE] =
                    weight_pair(w[(o * in + c) * 9 + k], c + 1 < in ? w[(o * in + c + 1) * 9 + k] : 0);
}

/* The same for the way back: a convolution of the output's gradient with the kernels turned by 180
   degrees, inputs and outputs exchanged. */
static void pack_turned(const float *w, int in, int out, weight *packed) {
    for (int o = 0; o < out; o += PAIR)
        for (int c = 0; c < in; c++)
            for (int k = 0; k < 9; k++)
                packed[((c / TILE * (out / PAIR) + o / PAIR) * 9 + 8 - k) * TILE + c % TILE] =
                    weight_pair(w[(o * in + c) * 9 + k], w[((o + PAIR - 1) * in + c) * 9 + k]);
}

#endif
