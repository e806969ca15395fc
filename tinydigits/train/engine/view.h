/* From the digits of a batch to the net's input: gather, move, light, normalise.

   The same as augment.py and light.py, which explain what is done and why, from the same random
   numbers; here for the images of a vector at once, one a lane. */
#ifndef VIEW_H
#define VIEW_H

#include <math.h>

#include "net.h"

enum { POINTS = 4, LATTICE = POINTS * POINTS, PATCH = 6, BAR = 7, MOVES = 5, REACH = 8 };
enum { PADDED = SIDE + 2 }; /* a black pixel before and after each row */

typedef struct {
    const uint8_t *digits;  /* [N][784] */
    const int64_t *indices; /* [batch]: which of them */
    float offset, factor;   /* input = (pixel - offset) * factor */
    /* Largest changes as in Augmentation, angles in radians; random numbers from 0 to 1, a row an
       image, or NULL: nothing moves. */
    float rotation, translation, scale, shear, elastic;
    const float *moves;
    int moves_each;
    /* As in Light; NULL: the light stays as it is. */
    float level, unevenness, contrast, blur, sharpening, diagonal, outline, noise, specks, turned, lit_share;
    int patches, bars;
    const float *lights;
    int lights_each;
} View;

/* Random numbers of the images of a vector: number i of each. */
typedef struct { const float *row[LANES]; } Numbers;

static Numbers numbers_of(const float *rows, int each, int first, int batch) {
    Numbers n;
    for (int l = 0; l < LANES; l++) n.row[l] = rows + (size_t)(first + l < batch ? first + l : batch - 1) * each;
    return n;
}

INLINE vf number(const Numbers *n, int i) {
    vf v = {0};
    for (int l = 0; l < LANES; l++) v[l] = n->row[l][i];
    return v;
}

/* ---- smooth fields ---- */

/* The share of each lattice point in each pixel along a side: a smoothstep between two points. */
static float between[SIDE][POINTS];

/* One row of the field through values at lattice points. */
INLINE void smooth_row(const vf *lattice, int y, vf *row) {
    vf points[POINTS];
    for (int j = 0; j < POINTS; j++) {
        points[j] = all(0);
        for (int i = 0; i < POINTS; i++) points[j] += between[y][i] * lattice[i * POINTS + j];
    }
    for (int x = 0; x < SIDE; x++) {
        row[x] = all(0);
        for (int j = 0; j < POINTS; j++) row[x] += between[x][j] * points[j];
    }
}

/* ---- geometry ---- */

/* Affine maps from a pixel's place in the output to its place in the input, in pixels. */
static void matrices(const View *view, const Numbers *n, vf matrix[6]) {
    for (int l = 0; l < LANES; l++) {
        float u[MOVES];
        for (int i = 0; i < MOVES; i++) u[i] = 2 * n->row[l][i] - 1;
        const float angle = u[0] * view->rotation, scale = 1 + u[1] * view->scale, shear = tanf(u[2] * view->shear);
        const float cosine = cosf(angle) / scale, sine = sinf(angle) / scale;
        const float a = cosine + shear * sine, b = sine - shear * cosine, c = -sine, d = cosine;
        const float right = u[3] * view->translation * SIDE, down = u[4] * view->translation * SIDE;
        const float middle = (SIDE - 1) / 2.0f;
        matrix[0][l] = a, matrix[1][l] = b, matrix[2][l] = middle - a * (middle + right) - b * (middle + down);
        matrix[3][l] = c, matrix[4][l] = d, matrix[5][l] = middle - c * (middle + right) - d * (middle + down);
    }
}

/* Each pixel with its right, lower and lower right neighbours in one word, with a black border:
   one lookup then gives all that a bilinear interpolation needs. */
static void quads(const View *view, int first, int batch, uint32_t quad[PADDED - 1][PADDED - 1][LANES]) {
    uint32_t pixel[PADDED][PADDED][LANES];
    memset(pixel, 0, sizeof pixel);
    for (int l = 0; l < LANES && first + l < batch; l++) {
        const uint8_t *digit = view->digits + view->indices[first + l] * PIXELS;
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++) pixel[y + 1][x + 1][l] = digit[y * SIDE + x];
    }
    for (int y = 0; y < PADDED - 1; y++)
        for (int x = 0; x < PADDED - 1; x++)
            for (int l = 0; l < LANES; l++)
                quad[y][x][l] = pixel[y][x][l] | pixel[y][x + 1][l] << 8 | pixel[y + 1][x][l] << 16 |
                                pixel[y + 1][x + 1][l] << 24;
}

static void move(const View *view, int first, int batch, vf *image) {
    uint32_t quad[PADDED - 1][PADDED - 1][LANES];
    quads(view, first, batch, quad);
    const Numbers n = numbers_of(view->moves, view->moves_each, first, batch);
    vf matrix[6], lattice[2 * LATTICE], bend[2][SIDE] = {{{0}}};
    matrices(view, &n, matrix);
    if (view->elastic > 0)
        for (int i = 0; i < 2 * LATTICE; i++) lattice[i] = (number(&n, MOVES + i) * 2 - 1) * view->elastic;
    for (int y = 0; y < SIDE; y++) {
        if (view->elastic > 0)
            for (int axis = 0; axis < 2; axis++) smooth_row(lattice + axis * LATTICE, y, bend[axis]);
        for (int x = 0; x < SIDE; x++) {
            /* From the black border: whatever lies beyond it is black, too. */
            const vf from_x = matrix[0] * (float)x + matrix[1] * (float)y + matrix[2] + bend[0][x] + 1;
            const vf from_y = matrix[3] * (float)x + matrix[4] * (float)y + matrix[5] + bend[1][x] + 1;
            const vf in_x = smaller(larger(from_x, all(0)), all(SIDE + 1)), in_y = smaller(larger(from_y, all(0)), all(SIDE + 1));
            const vi left = truncated(smaller(in_x, all(SIDE))), top = truncated(smaller(in_y, all(SIDE)));
            const vf right = in_x - floats(left), down = in_y - floats(top);
            const vi place = (top * (PADDED - 1) + left) * LANES;
            vi found = {0};
            for (int l = 0; l < LANES; l++) found[l] = (int32_t)(&quad[0][0][0])[place[l] + l];
            const vf upper = floats(found & 255) * (1 - right) + floats(found >> 8 & 255) * right;
            const vf lower = floats(found >> 16 & 255) * (1 - right) + floats(found >> 24 & 255) * right;
            image[y * SIDE + x] = upper * (1 - down) + lower * down;
        }
    }
}

static void gather(const View *view, int first, int batch, vf *image) {
    for (int i = 0; i < PIXELS; i++) image[i] = all(0);
    for (int l = 0; l < LANES && first + l < batch; l++)
        for (int i = 0; i < PIXELS; i++) image[i][l] = view->digits[view->indices[first + l] * PIXELS + i];
}

/* ---- light ---- */

static const float BLUR[REACH + 1] = { /* a binomial kernel of 17 pixels */
    12870 / 65536.0f, 11440 / 65536.0f, 8008 / 65536.0f, 4368 / 65536.0f, 1820 / 65536.0f,
    560 / 65536.0f, 120 / 65536.0f, 16 / 65536.0f, 1 / 65536.0f,
};

/* Neighbours in one direction before the picture ends. */
INLINE int room(int place, int step) {
    const int left = step < 0 ? place : step > 0 ? SIDE - 1 - place : REACH;
    return left < REACH ? left : REACH;
}

INLINE int nearer(int a, int b) { return a < b ? a : b; }

/* Blur along one direction, in which neighbours are `down` rows and `right` columns apart. */
static void blurred(const vf *image, int down, int right, vf *result) {
    for (int y = 0, i = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++, i++) {
            const int before = nearer(room(y, -down), room(x, -right)), after = nearer(room(y, down), room(x, right));
            vf sum = {0};
            for (int d = -before; d <= after; d++) sum += BLUR[d < 0 ? -d : d] * image[i + d * (down * SIDE + right)];
            result[i] = sum;
        }
}

/* Mix an image with its blur along an axis; where `oblique`, with that along the diagonal down and `right`. */
static void mix(const View *view, const vf *straight, int right, vf amount, vi oblique, vf *light) {
    vf diagonal[PIXELS];
    if (view->diagonal > 0) blurred(light, 1, right, diagonal);
    for (int i = 0; i < PIXELS; i++) {
        const vf blur = view->diagonal > 0 ? where(oblique, diagonal[i], straight[i]) : straight[i];
        light[i] += amount * (blur - light[i]);
    }
}

static void filter(const View *view, const Numbers *n, vi oblique, vf *light) {
    const vf down = number(n, 1) * (view->blur + view->sharpening) - view->sharpening;
    const vf across = number(n, 2) * (view->blur + view->sharpening) - view->sharpening;
    const vf less = view->outline * larger(2 * number(n, 3) - 1, all(0));
    vf rows[PIXELS], both[PIXELS];
    blurred(light, 1, 0, rows);
    blurred(rows, 0, 1, both);
    mix(view, rows, 1, down, oblique, light);
    blurred(light, 0, 1, rows);
    mix(view, rows, -1, across, oblique, light);
    vf lightest = all(1e-3f);
    for (int i = 0; i < PIXELS; i++) {
        const vf mixed = smaller(larger(light[i], all(0)), all(1));
        light[i] = larger(mixed - less * both[i], all(0));
        lightest = larger(lightest, light[i]);
    }
    for (int i = 0; i < PIXELS; i++) light[i] /= lightest;
}

INLINE vi within(vf away, vf reach) { return (away <= reach) & (-away <= reach); }

/* Half of the side of a patch: squared, so that bars as thin as strokes are as common as blocks. */
INLINE vf half_side(vf size) { return size * size * (SIDE / 4.0f) + 0.5f; }

static void cover(const Numbers *n, int first, vf *light) {
    const vf centre_y = number(n, first) * (SIDE - 1), centre_x = number(n, first + 1) * (SIDE - 1);
    const vf half_y = half_side(number(n, first + 2)), half_x = half_side(number(n, first + 3));
    const vf grey = number(n, first + 4);
    const vi there = number(n, first + 5) < 0.5f;
    for (int y = 0; y < SIDE; y++) {
        const vi row = within((float)y - centre_y, half_y) & there;
        for (int x = 0; x < SIDE; x++)
            light[y * SIDE + x] = where(row & within((float)x - centre_x, half_x), grey, light[y * SIDE + x]);
    }
}

static void draw_bar(const View *view, const Numbers *n, int first, vf *light) {
    const vf centre_y = number(n, first) * (SIDE - 1), centre_x = number(n, first + 1) * (SIDE - 1);
    const vf length = number(n, first + 2), width = number(n, first + 3);
    const vf half_length = length * (SIDE / 2.0f) + 0.5f;
    const vf half_width = half_side(width);
    const vf grey = number(n, first + 4), turn = number(n, first + 6);
    const vi there = number(n, first + 5) < 0.5f;
    vf cosine, sine;
    for (int l = 0; l < LANES; l++) {
        const float angle = turn[l] < view->turned ? (float)M_PI * turn[l] / view->turned : 0;
        cosine[l] = cosf(angle), sine[l] = sinf(angle);
    }
    for (int y = 0; y < SIDE; y++) {
        const vf down = (float)y - centre_y;
        for (int x = 0; x < SIDE; x++) {
            const vf right = (float)x - centre_x;
            const vi inside = there & within(cosine * down - sine * right, half_length) &
                              within(sine * down + cosine * right, half_width);
            light[y * SIDE + x] = where(inside, grey, light[y * SIDE + x]);
        }
    }
}

static void relight(const View *view, int first, int batch, vf *image) {
    const Numbers n = numbers_of(view->lights, view->lights_each, first, batch);
    const vi changed = number(&n, 0) < view->lit_share;
    vf light[PIXELS], lattice[LATTICE], uneven[SIDE];
    for (int i = 0; i < PIXELS; i++) light[i] = image[i] / 255;
    const int at = 4 + view->patches * PATCH, more = at + 3 + LATTICE + PIXELS;
    const int has_more = view->diagonal > 0 || view->specks > 0 || view->bars > 0;
    const vi oblique = has_more ? number(&n, more) < view->diagonal : (vi){0};
    if (view->blur > 0 || view->sharpening > 0 || view->outline > 0) filter(view, &n, oblique, light);
    for (int i = 0; i < view->patches; i++) cover(&n, 4 + i * PATCH, light);
    for (int i = 0; i < view->bars; i++) draw_bar(view, &n, more + 2 + i * BAR, light);
    const vf level = view->level * number(&n, at), left = 1 - view->contrast * number(&n, at + 1);
    for (int i = 0; i < LATTICE; i++) lattice[i] = number(&n, at + 2 + i);
    /* Uniform numbers have a standard deviation of 1 / sqrt(12). */
    const vf noise = view->noise * number(&n, at + 2 + LATTICE) * 3.4641016f;
    const vf specks = has_more ? view->specks * larger(2 * number(&n, more + 1) - 1, all(0)) : all(0);
    for (int y = 0, i = 0; y < SIDE; y++) {
        smooth_row(lattice, y, uneven);
        for (int x = 0; x < SIDE; x++, i++) {
            const vf paper = level + view->unevenness * uneven[x];
            const vf grain = number(&n, at + 3 + LATTICE + i) - 0.5f, cube = 8 * grain * grain * grain;
            const vf lit = paper + left * larger(1 - paper, all(0)) * light[i] + noise * grain +
                           specks * cube * cube * cube;
            image[i] = where(changed, 255 * smaller(larger(lit, all(0)), all(1)), image[i]);
        }
    }
}

/* ---- a block ---- */

static void load(const View *view, Net *net, int block) {
    Block *k = &net->block[block];
    for (int h = 0; h < HALVES; h++) {
        const int first = block * IMAGES + h * LANES;
        const vi there = present(net, block, h);
        vf *x = k->x + h * PIXELS;
        if (view->moves) move(view, first, net->batch, x);
        else gather(view, first, net->batch, x);
        if (view->lights) relight(view, first, net->batch, x);
        for (int i = 0; i < PIXELS; i++) x[i] = only(there, rounded((x[i] - view->offset) * view->factor));
    }
    for (int i = 0; i < PIXELS && PAIR == 2; i++) {
        const vf one = k->x[i], other = k->x[(HALVES - 1) * PIXELS + i];
        k->x1.by_image[i] = pair(one, other);
        k->x1.by_channel[i] = pair(one, all(0)); /* the second channel of the pair does not exist */
        k->x1.by_channel[PIXELS + i] = pair(other, all(0));
    }
}

static void prepare_views(void) {
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < POINTS; j++) {
            const float place = (float)i * (POINTS - 1) / (SIDE - 1), away = fabsf(place - j);
            const float near = away < 1 ? 1 - away : 0;
            between[i][j] = near * near * (3 - 2 * near);
        }
}

#endif
