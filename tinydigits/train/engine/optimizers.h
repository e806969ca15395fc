/* Adam and Muon on the flat parameters, as PyTorch and optimizers.py define them. */
#ifndef OPTIMIZERS_H
#define OPTIMIZERS_H

#include <math.h>
#include <string.h>

#include "net.h"

typedef struct {
    double lr, beta1, beta2, epsilon, weight_decay;
    int64_t step;             /* counted from 1 */
    float *mean, *square;     /* running means of gradients and of their squares, [PARAMETERS] */
    double muon_lr, momentum;
    float *muon_mean; /* [PARAMETERS], used at kernels only; NULL: Adam updates them, too */
} Optimizers;

static void adam(const Optimizers *o, int from, int to, const float *gradient, float *parameters) {
    const double correction1 = 1 - pow(o->beta1, (double)o->step), correction2 = 1 - pow(o->beta2, (double)o->step);
    const float size = (float)(o->lr / correction1), root = (float)sqrt(correction2), epsilon = (float)o->epsilon;
    const float old1 = (float)o->beta1, new1 = (float)(1 - o->beta1), old2 = (float)o->beta2, new2 = (float)(1 - o->beta2);
    const float decay = (float)o->weight_decay;
    for (int i = from; i < to; i++) {
        const float g = gradient[i] + decay * parameters[i];
        o->mean[i] = old1 * o->mean[i] + new1 * g;
        o->square[i] = old2 * o->square[i] + new2 * g * g;
        parameters[i] -= size * o->mean[i] / (sqrtf(o->square[i]) / root + epsilon);
    }
}

/* ---- Muon ---- */

enum { ROWS = 24, COLUMNS = 24 * 9, WIDE = (COLUMNS + LANES - 1) / LANES, ITERATIONS = 5 };
static const float A = 3.4445f, B = -4.7750f, C = 2.0315f; /* see optimizers.py */

typedef struct { vf row[ROWS][WIDE]; } Matrix; /* columns beyond the matrix are 0 */

/* x becomes A x + (B s + C s s) x with s = x x^T, `ITERATIONS` times: its singular values go to 1. */
static void orthogonalise(Matrix *x, int rows, int wide) {
    float s[ROWS][ROWS], p[ROWS][ROWS], norm = 0;
    for (int i = 0; i < rows; i++)
        for (int k = 0; k < wide; k++) norm += total(x->row[i][k] * x->row[i][k]);
    const float inverse = 1 / (sqrtf(norm) + 1e-7f);
    for (int i = 0; i < rows; i++)
        for (int k = 0; k < wide; k++) x->row[i][k] *= inverse;
    for (int n = 0; n < ITERATIONS; n++) {
        for (int i = 0; i < rows; i++)
            for (int j = i; j < rows; j++) {
                vf sum = {0};
                for (int k = 0; k < wide; k++) sum += x->row[i][k] * x->row[j][k];
                s[i][j] = s[j][i] = total(sum);
            }
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < rows; j++) {
                float sum = 0;
                for (int k = 0; k < rows; k++) sum += s[i][k] * s[k][j];
                p[i][j] = B * s[i][j] + C * sum + (i == j ? A : 0);
            }
        Matrix next;
        for (int i = 0; i < rows; i++)
            for (int k = 0; k < wide; k++) {
                vf sum = {0};
                for (int j = 0; j < rows; j++) sum += p[i][j] * x->row[j][k];
                next.row[i][k] = sum;
            }
        for (int i = 0; i < rows; i++) memcpy(x->row[i], next.row[i], sizeof(vf) * (size_t)wide);
    }
}

static void muon(const Optimizers *o, int l, int first, const float *gradient, float *parameters) {
    const int rows = NET[l].out, columns = NET[l].in * NET[l].kernel * NET[l].kernel;
    const int wide = (columns + LANES - 1) / LANES;
    const float momentum = (float)o->momentum, size = (float)(o->muon_lr * sqrt(fmax(1, (double)rows / columns)));
    Matrix x;
    for (int i = 0; i < rows; i++) {
        float ahead[WIDE * LANES] = {0};
        for (int j = 0, at = first + i * columns; j < columns; j++, at++) {
            o->muon_mean[at] = momentum * o->muon_mean[at] + gradient[at];
            ahead[j] = momentum * o->muon_mean[at] + gradient[at]; /* Nesterov */
        }
        memcpy(x.row[i], ahead, sizeof(vf) * (size_t)wide);
    }
    orthogonalise(&x, rows, wide);
    for (int i = 0; i < rows; i++) {
        float direction[WIDE * LANES];
        memcpy(direction, x.row[i], sizeof(vf) * (size_t)wide);
        for (int j = 0, at = first + i * columns; j < columns; j++, at++) parameters[at] -= size * direction[j];
    }
}

#endif
