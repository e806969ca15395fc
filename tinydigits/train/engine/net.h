/* The net's forward and backward pass, written out layer by layer.

   Layout. IMAGES images lie beside one another, one a lane, and form a block. An activation of a
   block is [half][channel][row][column] of vectors (`vf`); what a kernel reads is kept as operands
   (see operands.h). So each instruction does the same arithmetic for many images: no number of
   channels, kernel size or border leaves lanes empty, and nothing has to be shuffled. Only the
   batch is filled up to whole blocks.

   Absent images. Wherever an activation is kept, lanes without an image are 0. Sums over the batch
   then need no mask, and neither do gradients: they pass through a ReLU that was not active, or are
   multiplied by an activation that is 0.

   Phases. A batch normalisation needs sums over all images, so the pass is cut there: `phase` runs
   for each block, in any thread, and between two phases the blocks' sums are added in the order of
   the blocks. Results therefore have the same bits on any number of threads.

   A convolution's bias before a batch normalisation only moves the running mean. It is left out of
   all arithmetic, and its gradient is 0. */
#ifndef NET_H
#define NET_H

#include <math.h>
#include <stdlib.h>

#include "convolution.h"
#include "pool.h"

enum { LAYERS = 7, NORMED = 6, MOST = 24, CLASSES = 10, SIDE = 28, PIXELS = SIDE * SIDE };
enum { PARAMETERS = 13034, STATISTICS = 104 };
enum { NOWHERE = 4 }; /* where a pooled value came from: one of 4 places, or nowhere */

/* Sides are those of a layer's output before pooling. */
static const struct { int in, out, kernel, side; } NET[LAYERS] = {
    {1, 8, 3, 26}, {8, 16, 3, 24},              /* pooled to 12 */
    {16, 16, 3, 10}, {16, 24, 3, 8},            /* pooled to 4 */
    {24, 24, 3, 2}, {24, 16, 1, 2},             /* averaged to 1 */
    {16, CLASSES, 1, 1},
};

typedef struct { int weight, bias, gamma, beta, mean; } Place; /* in the flat arrays, as in PyTorch */
typedef struct { float scale[MOST], shift[MOST]; } Affine;     /* batch norm as z * scale + shift */
typedef struct { float a[MOST], b[MOST], c[MOST]; } Slope;     /* its gradient: a * dy + b + c * z */

/* What the passes keep of a block: z before and a after batch norm and ReLU, p after pooling, `top`
   the z that was the maximum, `from` its place, and d the gradient with respect to y = norm(z). */
typedef struct {
    vf *x, *z2, *top2, *dp2, *z3, *d3, *z4, *top4, *dp4, *z5, *d5, *z6, *d6, *f;
    vb *from2, *from4;
    vf dlogits[HALVES][CLASSES];
    Packed x1, a1, p2, a3, p4, a5;
} Block;

/* What a thread needs for a moment: gradients with two zeros at either end of each row. */
typedef struct { Packed d1, d2, d3, d4, d5; vf *da1; } Scratch;

/* What PyTorch's cross_entropy takes and returns, and the batch it is about. */
typedef struct {
    int batch;
    const uint8_t *labels; /* [batch] */
    float smoothing, share; /* of the label; of an image in the mean */
    float *losses, *logits; /* [batch], [batch][10] */
} Targets;

typedef struct {
    int most_blocks, blocks, batch;
    Pool *pool;
    const float *parameters;
    float dropout;
    uint32_t key[2]; /* of this step's dropout */
    Targets targets;
    Place at[LAYERS];
    Affine affine[NORMED];
    Slope slope[NORMED];
    double mean[NORMED][MOST], inverse[NORMED][MOST]; /* 1 / standard deviation */
    float first[8 * 9];    /* the first layer's kernels, rounded as its products take them */
    double moments[9][10]; /* of 3x3 patches of the input: of x_i x_j, and in column 9 of x_i */
    weight *forward[5], *backward[5]; /* packed kernels */
    float (*sums)[2 * MOST];          /* [block]: two a channel */
    float (*patches)[90];             /* [block]: the moments */
    float (*gradients)[PARAMETERS];   /* [block] */
    Block *block;
    Scratch *scratch; /* [thread] */
} Net;

/* Lanes of a block's half that hold an image. */
static vi present(const Net *net, int block, int half) {
    vi mask = {0};
    for (int l = 0; l < LANES; l++) mask[l] = block * IMAGES + half * LANES + l < net->batch ? -1 : 0;
    return mask;
}

/* Batch norm and ReLU of one value of channel c. */
INLINE vf activated(const Affine *by, int c, vf z) { return larger(all(0), z * by->scale[c] + by->shift[c]); }

/* ---- batch normalisation ---- */

static void add_blocks(const Net *net, double *first, double *second) {
    for (int c = 0; c < MOST; c++) {
        first[c] = second[c] = 0;
        for (int b = 0; b < net->blocks; b++)
            first[c] += net->sums[b][c], second[c] += net->sums[b][MOST + c];
    }
}

/* Turn sums of z and z * z over the batch into scale and shift, and move the running statistics. */
static void normalise(Net *net, int l, const double *sum, const double *squares, float *running_mean,
                      float *running_variance) {
    const Place *at = &net->at[l];
    const double n = (double)net->batch * NET[l].side * NET[l].side;
    for (int c = 0; c < NET[l].out; c++) {
        const double mean = sum[c] / n, variance = fmax(squares[c] / n - mean * mean, 0);
        const double inverse = 1 / sqrt(variance + 1e-5), scale = net->parameters[at->gamma + c] * inverse;
        net->mean[l][c] = mean;
        net->inverse[l][c] = inverse;
        net->affine[l].scale[c] = (float)scale;
        net->affine[l].shift[c] = (float)(net->parameters[at->beta + c] - mean * scale);
        float *m = running_mean + at->mean + c, *v = running_variance + at->mean + c;
        *m += 0.1f * ((float)(mean + net->parameters[at->bias + c]) - *m);
        *v += 0.1f * ((float)(variance * n / (n - 1)) - *v);
    }
}

/* From the sums of dy and dy * z: the gradients of gamma and beta, and dz as a * dy + b + c * z. */
static void normalise_back(Net *net, int l, const double *sum, const double *product, float *gradient) {
    const double n = (double)net->batch * NET[l].side * NET[l].side;
    for (int c = 0; c < NET[l].out; c++) {
        const double inverse = net->inverse[l][c], mean = net->mean[l][c], a = net->affine[l].scale[c];
        const double dgamma = inverse * (product[c] - mean * sum[c]);
        gradient[net->at[l].gamma + c] = (float)dgamma;
        gradient[net->at[l].beta + c] = (float)sum[c];
        const double slope = -a * inverse * dgamma / n;
        net->slope[l].a[c] = (float)a;
        net->slope[l].c[c] = (float)slope;
        net->slope[l].b[c] = (float)(-a * sum[c] / n - slope * mean);
    }
}

/* ---- layers 2 to 5 ---- */

/* A 3x3 convolution, with the sums for its batch norm while its rows are in the cache. */
static void convolve(Net *net, int l, int block, Packed in, vf *z) {
    const int out = NET[l].out, side = NET[l].side, plane = side * side, width = side + 2;
    const int pairs = NET[l].in / PAIR;
    vf sum[MOST] = {0}, squares[MOST] = {0};
    static const float none[MOST];
    for (int h = 0; h < HALVES; h++, z += out * plane)
        for (int y = 0; y < side; y++) {
            conv_row(in.by_channel + h * pairs * width * width, width, width, pairs, 0, net->forward[l], none,
                     y, z + y * side, plane, out);
            for (int c = 0; c < out; c++) {
                vf s = {0}, q = {0}; /* of a row first: rounding grows with the number of terms */
                for (int x = 0; x < side; x++) {
                    const vf v = z[c * plane + y * side + x];
                    s += v;
                    q += v * v;
                }
                sum[c] += s;
                squares[c] += q;
            }
        }
    for (int c = 0; c < out; c++)
        net->sums[block][c] = total(sum[c]), net->sums[block][MOST + c] = total(squares[c]);
}

static void norm_relu(const Net *net, int l, int block, const vf *z, Packed a) {
    const int channels = NET[l].out, places = NET[l].side * NET[l].side;
    const Affine *by = &net->affine[l];
    for (int c = 0; c < channels; c += PAIR)
        for (int i = 0; i < places; i++) {
            vf v[HALVES][PAIR];
            for (int h = 0; h < HALVES; h++)
                for (int j = 0; j < PAIR; j++)
                    v[h][j] = only(present(net, block, h), activated(by, c + j, z[(h * channels + c + j) * places + i]));
            keep(a, channels, places, c, i, v);
        }
}

/* Which values dropout keeps: a hash of the step's key, the image and the place, so it depends
   neither on threads nor on the width of vectors. */
INLINE vi kept(const Net *net, vu image, uint32_t place) {
    vu h = (image + place) * 0x9e3779b9u + net->key[0];
    h = (h ^ (h >> 16)) * 0x85ebca6bu;
    h = (h ^ (h >> 13) ^ net->key[1]) * 0xc2b2ae35u;
    h = (h ^ (h >> 15)) * 0x2c1b3c6du;
    return ((h ^ (h >> 16)) >> 8) >= (uint32_t)(net->dropout * (1 << 24));
}

static vu image_keys(int block, int half) {
    vu keys = {0};
    for (int l = 0; l < LANES; l++) keys[l] = (uint32_t)(block * IMAGES + half * LANES + l) * 4096;
    return keys;
}

/* Batch norm, 2x2 maximum, ReLU and dropout at once. For the way back, `from` keeps which of the
   four places gave the maximum (the first of equals, as in PyTorch), and `top` its z. */
static void norm_pool(const Net *net, int l, int block, const vf *z, Packed p, vf *top, vb *from) {
    const int channels = NET[l].out, side = NET[l].side, half = side / 2, places = half * half;
    const Affine *by = &net->affine[l];
    const float raise = 1 / (1 - net->dropout);
    const uint32_t first = l > 1 ? 2304 : 0; /* the two dropouts draw from other places */
    for (int c = 0; c < channels; c += PAIR)
        for (int i = 0; i < places; i++) {
            vf v[HALVES][PAIR];
            for (int h = 0; h < HALVES; h++)
                for (int j = 0; j < PAIR; j++) {
                    const int plane = h * channels + c + j, at = plane * places + i;
                    const vf *q = z + plane * side * side + i / half * 2 * side + i % half * 2;
                    const vf corner[4] = {q[0], q[1], q[side], q[side + 1]};
                    vf y[4];
                    UNROLL for (int k = 0; k < 4; k++) y[k] = corner[k] * by->scale[c + j] + by->shift[c + j];
                    const vf most = larger(larger(y[0], y[1]), larger(y[2], y[3]));
                    vi place = (vi){0} + 3;
                    vf best = corner[3];
                    UNROLL for (int k = 2; k >= 0; k--) {
                        const vi is = y[k] == most;
                        place = (is & k) | (~is & place);
                        best = where(is, corner[k], best);
                    }
                    vi live = ~(most <= 0) & present(net, block, h); /* what is no number stays so */
                    if (net->dropout > 0) live &= kept(net, image_keys(block, h), first + (c + j) * places + i);
                    v[h][j] = only(live, most * raise);
                    top[at] = best;
                    from[at] = narrow((live & place) | (~live & NOWHERE));
                }
            keep(p, channels, places, c, i, v);
        }
}

/* Turn da into dy, the gradient before the ReLU, and sum dy and dy * z. */
static void relu_back(Net *net, int l, int block, const vf *z, vf *d) {
    const int channels = NET[l].out, places = NET[l].side * NET[l].side;
    const Affine *by = &net->affine[l];
    for (int c = 0; c < channels; c++) {
        vf sum = {0}, product = {0};
        for (int h = 0; h < HALVES; h++) {
            const vi there = present(net, block, h);
            for (int i = (h * channels + c) * places, last = i + places; i < last; i++) {
                d[i] = only((z[i] * by->scale[c] + by->shift[c] > 0) & there, d[i]);
                sum += d[i];
                product += d[i] * z[i];
            }
        }
        net->sums[block][c] = total(sum), net->sums[block][MOST + c] = total(product);
    }
}

/* dz of a batch norm, between the zeros at the ends of each row. */
static void norm_back(const Net *net, int l, const vf *dy, const vf *z, Packed dz) {
    const int channels = NET[l].out, side = NET[l].side, places = side * side;
    const Slope *by = &net->slope[l];
    for (int c = 0; c < channels; c += PAIR)
        for (int i = 0; i < places; i++) {
            vf v[HALVES][PAIR];
            for (int h = 0; h < HALVES; h++)
                for (int j = 0; j < PAIR; j++) {
                    const int at = (h * channels + c + j) * places + i;
                    v[h][j] = dy[at] * by->a[c + j] + by->b[c + j] + by->c[c + j] * z[at];
                }
            keep(dz, channels, side * (side + 4), c, i / side * (side + 4) + 2 + i % side, v);
        }
}

/* Sums of dy and dy * z of a pooled layer, whose dy is 0 except at the maxima. */
static void pool_back_sums(Net *net, int l, int block, const vf *d, const vf *top, const vb *from) {
    const int channels = NET[l].out, places = NET[l].side * NET[l].side / 4;
    const float raise = 1 / (1 - net->dropout);
    for (int c = 0; c < channels; c++) {
        vf sum = {0}, product = {0};
        for (int h = 0; h < HALVES; h++)
            for (int i = (h * channels + c) * places, last = i + places; i < last; i++) {
                const vf dy = only(widen(from[i]) < NOWHERE, d[i]);
                sum += dy;
                product += dy * top[i];
            }
        net->sums[block][c] = raise * total(sum), net->sums[block][MOST + c] = raise * total(product);
    }
}

/* Back through dropout, ReLU, maximum and batch norm at once, for pooled rows [top, bottom). */
static void pool_back(const Net *net, int l, int top, int bottom, const vf *d, const vb *from, const vf *z,
                      Packed dz, int plane, int offset) {
    const int channels = NET[l].out, side = NET[l].side, half = side / 2, wide = side + 4;
    const Slope *by = &net->slope[l];
    const float raise = 1 / (1 - net->dropout);
    for (int c = 0; c < channels; c += PAIR)
        for (int y = top; y < bottom; y++)
            for (int x = 0; x < half; x++) {
                vf v[4][HALVES][PAIR];
                for (int h = 0; h < HALVES; h++)
                    for (int j = 0; j < PAIR; j++) {
                        const int channel = h * channels + c + j, i = (channel * half + y) * half + x;
                        const vf *q = z + (channel * side + 2 * y) * side + 2 * x;
                        const vf dy = d[i] * (by->a[c + j] * raise);
                        const vi place = widen(from[i]);
                        UNROLL for (int k = 0; k < 4; k++)
                            v[k][h][j] = by->b[c + j] + by->c[c + j] * q[(k >> 1) * side + (k & 1)] +
                                         only(place == k, dy);
                    }
                UNROLL for (int k = 0; k < 4; k++)
                    keep(dz, channels, plane, c, offset + (2 * (y - top) + (k >> 1)) * wide + 2 + 2 * x + (k & 1), v[k]);
            }
}

/* The gradients of a 3x3 layer's kernels and of its input, from dz between zeros. */
static void convolve_back(Net *net, int l, Packed in, Packed dz, vf *din, float *gradient) {
    const int side = NET[l].side, width = side + 2, padded = side + 4, pairs = NET[l].out / PAIR;
    static const float none[MOST];
    weight_gradient(in.by_image, width, width * width, NET[l].in, dz.by_image + 2, padded, side * padded, side,
                    side, NET[l].out, gradient + net->at[l].weight);
    for (int h = 0; h < HALVES; h++)
        for (int y = 0; y < width; y++)
            conv_row(dz.by_channel + h * pairs * side * padded, side, padded, pairs, 2, net->backward[l], none, y,
                     din + (h * NET[l].in * width + y) * width, width * width, NET[l].in);
}

/* ---- layer 1: of one input channel, so the sums of its output follow from those of its input ---- */

/* Sums of products of the input's 3x3 patches, for places [from, to) of a patch with all after them. */
INLINE void patch_products(const vf *x, float *sums, const int from, const int to) {
    vf sum[9][9] = {0};
    for (int y = 0; y < 26; y++) {
        vf row[9][9] = {0};
        for (int i = y * SIDE; i < y * SIDE + 26; i++)
            UNROLL for (int j = from; j < to; j++)
                UNROLL for (int k = 0; k < 9; k++)
                    if (k >= j) row[j][k] += x[i + j / 3 * SIDE + j % 3] * x[i + k / 3 * SIDE + k % 3];
        UNROLL for (int j = from; j < to; j++)
            UNROLL for (int k = 0; k < 9; k++)
                if (k >= j) sum[j][k] += row[j][k];
    }
    UNROLL for (int j = from; j < to; j++)
        UNROLL for (int k = 0; k < 9; k++)
            if (k >= j) sums[j * 10 + k] += total(sum[j][k]);
}

static void patch_sums(const vf *x, float *sums) {
    patch_products(x, sums, 0, 3);
    patch_products(x, sums, 3, 9);
    for (int j = 0; j < 9; j++) {
        vf sum = {0};
        for (int y = 0; y < 26; y++) {
            vf row = {0};
            for (int i = y * SIDE; i < y * SIDE + 26; i++) row += x[i + j / 3 * SIDE + j % 3];
            sum += row;
        }
        sums[j * 10 + 9] += total(sum);
    }
}

/* Sums of z and z * z of the first layer, without z. */
static void first_statistics(Net *net, double *sum, double *squares) {
    for (int j = 0; j < 9; j++)
        for (int k = j; k < 10; k++) {
            double value = 0;
            for (int b = 0; b < net->blocks; b++) value += net->patches[b][j * 10 + k];
            net->moments[j][k] = value;
            if (k < 9) net->moments[k][j] = value;
        }
    for (int c = 0; c < NET[0].out; c++) {
        const float *w = net->first + c * 9;
        sum[c] = squares[c] = 0;
        for (int j = 0; j < 9; j++) {
            sum[c] += w[j] * net->moments[j][9];
            for (int k = 0; k < 9; k++) squares[c] += (double)w[j] * w[k] * net->moments[j][k];
        }
    }
}

static void pack_first(Net *net) {
    for (int i = 0; i < 72; i++) net->first[i] = rounded(all(net->parameters[net->at[0].weight + i]))[0];
    pack(net->first, 1, 8, net->forward[0]);
}

/* Convolution, batch norm and ReLU, row by row. */
static void first_layer(const Net *net, int block) {
    const Block *k = &net->block[block];
    const Affine *by = &net->affine[0];
    static const float none[MOST];
    vf row[HALVES][8 * 26];
    for (int y = 0; y < 26; y++) {
        for (int h = 0; h < HALVES; h++)
            conv_row(k->x1.by_channel + h * PIXELS, SIDE, SIDE, 1, 0, net->forward[0], none, y, row[h], 26, 8);
        for (int c = 0; c < 8; c += PAIR)
            for (int x = 0; x < 26; x++) {
                vf v[HALVES][PAIR];
                for (int h = 0; h < HALVES; h++)
                    for (int j = 0; j < PAIR; j++)
                        v[h][j] = only(present(net, block, h), activated(by, c + j, row[h][(c + j) * 26 + x]));
                keep(k->a1, 8, 676, c, y * 26 + x, v);
            }
    }
}

/* The way back through the first two layers, the largest part of a step, in three strips of eight
   rows: the gradients of a whole block would not stay in the second-level cache between their uses.
   Each strip keeps the last two rows of the one before. Of the first layer only the sums of dy and
   of dy times the input are needed, so its dz never exists. */
static void first_two_back(Net *net, int block, const Scratch *s, float *gradient) {
    enum { ROWS = 8, HELD = ROWS + 2, PLANE = HELD * 28, DA = HELD * 26 };
    static const float none[MOST];
    const Block *k = &net->block[block];
    vf sum[8] = {0};
    for (int top = 0; top < 24; top += ROWS) {
        const int rows = top + ROWS < 24 ? ROWS : HELD; /* the last strip ends with two rows more */
        for (int c = 0; c < 16; c++)
            for (int form = 0; form < PAIR; form++) {
                vo *d = (form ? s->d2.by_image : s->d2.by_channel) + c * PLANE;
                if (top) memcpy(d, d + ROWS * 28, 2 * 28 * sizeof *d);
                else memset(d, 0, 2 * 28 * sizeof *d);
            }
        pool_back(net, 1, top / 2, top / 2 + ROWS / 2, k->dp2, k->from2, k->z2, s->d2, PLANE, 2 * 28);
        weight_gradient(k->a1.by_image + top * 26, 26, 676, 8, s->d2.by_image + 2 * 28 + 2, 28, PLANE, ROWS, 24, 16,
                        gradient + net->at[1].weight);
        for (int h = 0; h < HALVES; h++)
            for (int y = 0; y < rows; y++)
                conv_row(s->d2.by_channel + h * (16 / PAIR) * PLANE, HELD, 28, 16 / PAIR, 0, net->backward[1], none,
                         y, s->da1 + h * 8 * DA + y * 26, DA, 8);
        for (int c = 0; c < 8; c += PAIR)
            for (int i = 0; i < rows * 26; i++) {
                vf v[HALVES][PAIR];
                for (int h = 0; h < HALVES; h++)
                    for (int j = 0; j < PAIR; j++) {
                        v[h][j] = only(is_set(k->a1.by_image[(c + j) * 676 + top * 26 + i], h),
                                       s->da1[(h * 8 + c + j) * DA + i]);
                        sum[c + j] += v[h][j];
                    }
                keep(s->d1, 8, DA, c, i, v);
            }
        weight_gradient(k->x1.by_image + top * SIDE, SIDE, PIXELS, 1, s->d1.by_image, 26, DA, rows, 26, 8,
                        gradient + net->at[0].weight);
    }
    for (int c = 0; c < 8; c++) net->sums[block][c] = total(sum[c]);
}

/* The first layer's gradients from the sums over the batch: dW = sum of (a dy + b + c z) x. */
static void first_gradients(Net *net, float *gradient) {
    double sum[MOST], unused[MOST], product[MOST] = {0};
    const float *w = net->first;
    float *dw = gradient + net->at[0].weight; /* holds the sums of dy * x */
    add_blocks(net, sum, unused);
    for (int i = 0; i < 72; i++) product[i / 9] += (double)w[i] * dw[i];
    normalise_back(net, 0, sum, product, gradient);
    const Slope *by = &net->slope[0];
    for (int c = 0; c < 8; c++)
        for (int j = 0; j < 9; j++) {
            double zx = 0;
            for (int k = 0; k < 9; k++) zx += w[c * 9 + k] * net->moments[j][k];
            dw[c * 9 + j] = (float)(by->a[c] * dw[c * 9 + j] + by->b[c] * net->moments[j][9] + by->c[c] * zx);
        }
}

/* ---- layers 6 and 7: of four places, then of one; too small to matter ---- */

/* What the sixth layer takes of a half: [24][4]. */
static void fifth_activations(const Net *net, int block, int h, vf a[24 * 4]) {
    for (int i = 0; i < 24 * 4; i++)
        a[i] = only(present(net, block, h), activated(&net->affine[4], i / 4, net->block[block].z5[h * 96 + i]));
}

static void sixth_layer(Net *net, int block) {
    const Block *k = &net->block[block];
    const float *w = net->parameters + net->at[5].weight;
    for (int o = 0; o < 16; o++) net->sums[block][o] = net->sums[block][MOST + o] = 0;
    for (int h = 0; h < HALVES; h++) {
        vf a[24 * 4];
        fifth_activations(net, block, h, a);
        for (int o = 0; o < 16; o++) {
            vf z[4] = {0}, sum = {0}, squares = {0};
            for (int c = 0; c < 24; c++)
                UNROLL for (int i = 0; i < 4; i++) z[i] += w[o * 24 + c] * a[c * 4 + i];
            UNROLL for (int i = 0; i < 4; i++) {
                k->z6[(h * 16 + o) * 4 + i] = z[i];
                sum += z[i];
                squares += z[i] * z[i];
            }
            net->sums[block][o] += total(sum), net->sums[block][MOST + o] += total(squares);
        }
    }
}

/* Softmax, cross-entropy with label smoothing, and its gradient, as PyTorch defines them. */
static void cross_entropy(const Targets *to, int image, const float logits[CLASSES], float gradient[CLASSES]) {
    float most = logits[0], sum = 0, mean = 0;
    for (int j = 1; j < CLASSES; j++) most = fmaxf(most, logits[j]);
    for (int j = 0; j < CLASSES; j++) sum += expf(logits[j] - most), mean += logits[j] / CLASSES;
    const float all_ = most + logf(sum);
    const int label = to->labels[image];
    to->losses[image] = all_ - (1 - to->smoothing) * logits[label] - to->smoothing * mean;
    for (int j = 0; j < CLASSES; j++) {
        const float wanted = (j == label ? 1 - to->smoothing : 0) + to->smoothing / CLASSES;
        gradient[j] = to->share * (expf(logits[j] - all_) - wanted);
        to->logits[image * CLASSES + j] = logits[j];
    }
}

/* The last layer, the loss, and the way back to the sixth layer's output. */
static void last_layer(Net *net, int block, float *gradient) {
    const Block *k = &net->block[block];
    const float *w = net->parameters + net->at[6].weight, *bias = net->parameters + net->at[6].bias;
    for (int h = 0; h < HALVES; h++) {
        const int first = block * IMAGES + h * LANES, there = net->batch - first < LANES ? net->batch - first : LANES;
        vf f[16], logits[CLASSES], d[CLASSES] = {0};
        for (int c = 0; c < 16; c++) {
            f[c] = all(0);
            for (int i = 0; i < 4; i++) f[c] += activated(&net->affine[5], c, k->z6[(h * 16 + c) * 4 + i]) * 0.25f;
            f[c] = only(present(net, block, h), f[c]);
        }
        for (int j = 0; j < CLASSES; j++) {
            logits[j] = all(bias[j]);
            for (int c = 0; c < 16; c++) logits[j] += w[j * 16 + c] * f[c];
        }
        for (int l = 0; l < there; l++) {
            float of[CLASSES], slope[CLASSES];
            for (int j = 0; j < CLASSES; j++) of[j] = logits[j][l];
            cross_entropy(&net->targets, first + l, of, slope);
            for (int j = 0; j < CLASSES; j++) d[j][l] = slope[j];
        }
        for (int j = 0; j < CLASSES; j++) {
            gradient[net->at[6].bias + j] += total(d[j]);
            for (int c = 0; c < 16; c++) gradient[net->at[6].weight + j * 16 + c] += total(d[j] * f[c]);
        }
        for (int c = 0; c < 16; c++) {
            vf df = {0};
            for (int j = 0; j < CLASSES; j++) df += w[j * 16 + c] * d[j];
            for (int i = 0; i < 4; i++) k->d6[(h * 16 + c) * 4 + i] = df * 0.25f;
        }
    }
    relu_back(net, 5, block, k->z6, k->d6);
}

static void sixth_back(Net *net, int block, float *gradient) {
    const Block *k = &net->block[block];
    const float *w = net->parameters + net->at[5].weight;
    const Slope *by = &net->slope[5];
    memset(k->d5, 0, HALVES * 24 * 4 * sizeof(vf));
    for (int h = 0; h < HALVES; h++) {
        vf a[24 * 4], *d = k->d5 + h * 96;
        fifth_activations(net, block, h, a);
        for (int o = 0; o < 16; o++) {
            vf dz[4];
            UNROLL for (int i = 0; i < 4; i++) {
                const int at = (h * 16 + o) * 4 + i;
                dz[i] = k->d6[at] * by->a[o] + by->b[o] + by->c[o] * k->z6[at];
            }
            for (int c = 0; c < 24; c++) {
                vf sum = {0};
                UNROLL for (int i = 0; i < 4; i++) {
                    sum += dz[i] * a[c * 4 + i];
                    d[c * 4 + i] += w[o * 24 + c] * dz[i];
                }
                gradient[net->at[5].weight + o * 24 + c] += total(sum);
            }
        }
    }
    relu_back(net, 4, block, k->z5, k->d5);
}

/* ---- the phases ---- */

enum { READY, FIRST_TWO, THIRD, FOURTH, FIFTH, SIXTH, LAST, SIXTH_BACK, FIFTH_BACK, FOURTH_BACK, THIRD_BACK, FIRST_TWO_BACK, PHASES };

static void phase(Net *net, int number, int block, int thread) {
    const Block *k = &net->block[block];
    const Scratch *s = &net->scratch[thread];
    float *gradient = net->gradients[block];
    switch (number) {
    case READY:
        memset(net->patches[block], 0, sizeof *net->patches);
        for (int h = 0; h < HALVES; h++) patch_sums(k->x + h * PIXELS, net->patches[block]);
        break;
    case FIRST_TWO:
        first_layer(net, block);
        convolve(net, 1, block, k->a1, k->z2);
        break;
    case THIRD:
        norm_pool(net, 1, block, k->z2, k->p2, k->top2, k->from2);
        convolve(net, 2, block, k->p2, k->z3);
        break;
    case FOURTH:
        norm_relu(net, 2, block, k->z3, k->a3);
        convolve(net, 3, block, k->a3, k->z4);
        break;
    case FIFTH:
        norm_pool(net, 3, block, k->z4, k->p4, k->top4, k->from4);
        convolve(net, 4, block, k->p4, k->z5);
        break;
    case SIXTH:
        sixth_layer(net, block);
        break;
    case LAST:
        memset(gradient, 0, sizeof *net->gradients);
        last_layer(net, block, gradient);
        break;
    case SIXTH_BACK:
        sixth_back(net, block, gradient);
        break;
    case FIFTH_BACK:
        norm_back(net, 4, k->d5, k->z5, s->d5);
        convolve_back(net, 4, k->p4, s->d5, k->dp4, gradient);
        pool_back_sums(net, 3, block, k->dp4, k->top4, k->from4);
        break;
    case FOURTH_BACK:
        pool_back(net, 3, 0, 4, k->dp4, k->from4, k->z4, s->d4, 8 * 12, 0);
        convolve_back(net, 3, k->a3, s->d4, k->d3, gradient);
        relu_back(net, 2, block, k->z3, k->d3);
        break;
    case THIRD_BACK:
        norm_back(net, 2, k->d3, k->z3, s->d3);
        convolve_back(net, 2, k->p2, s->d3, k->dp2, gradient);
        pool_back_sums(net, 1, block, k->dp2, k->top2, k->from2);
        break;
    case FIRST_TWO_BACK:
        first_two_back(net, block, s, gradient);
        break;
    }
}

#endif
