typedef uint8_t tinydigits_value;
typedef int32_t tinydigits_logit;

typedef @constant@ tinydigits_constant;
#define TINYDIGITS_ONE @one@

/* Integers only. A layer's output is its sums times `multiplier` times ONE, shifted right by 32 and
   `shift`. */
typedef struct {
  TINYDIGITS_CONST tinydigits_weights *weight; /* [out / 8][kernel][groups][8] groups */
  TINYDIGITS_CONST tinydigits_constant *bias, *multiplier;
  int in, out, kernel, groups, pool, shift;
} tinydigits_layer;

@layers@

TINYDIGITS_INLINE int32_t tinydigits_multiplier(const tinydigits_layer *layer, int o) {
  return (int32_t)layer->multiplier[o] * TINYDIGITS_ONE;
}

static const uint8_t *tinydigits_input(const uint8_t pixels[784]) { return pixels; }

TINYDIGITS_INLINE int32_t tinydigits_larger(int32_t a, int32_t b) { return a > b ? a : b; }

/* Keeps the sums of four neighbours, 2x2, or only the largest if a maximum follows. */
TINYDIGITS_INLINE void tinydigits_keep(int32_t sums[4][24], int o, int pool, int32_t a, int32_t b,
                                       int32_t c, int32_t d) {
  if (pool) {
    sums[0][o] = tinydigits_larger(tinydigits_larger(a, b), tinydigits_larger(c, d));
  } else {
    sums[0][o] = a;
    sums[1][o] = b;
    sums[2][o] = c;
    sums[3][o] = d;
  }
}

@sums@
/* Returns the upper half of the product of two numbers that are not negative. */
TINYDIGITS_INLINE int32_t tinydigits_upper(int32_t a, int32_t b) {
#if defined(__ARM_ARCH_6M__) || defined(__AVR__) || defined(TINYDIGITS_NARROW) /* no such product */
  const uint32_t high = (uint32_t)a >> 16, low = a & 0xFFFF, upper = (uint32_t)b >> 16, lower = b & 0xFFFF;
  const uint32_t middle = high * lower + (low * lower >> 16), rest = low * upper + (middle & 0xFFFF);
  return (int32_t)(high * upper + (middle >> 16) + (rest >> 16));
#else
  return (int32_t)((int64_t)a * b >> 32);
#endif
}

/* Rounds to nearest, halves up, and keeps to 0 and 255. The product's lower half decides nothing. */
TINYDIGITS_INLINE uint8_t tinydigits_relu(int32_t sum, int32_t multiplier, int shift) {
  const int32_t upper = tinydigits_upper(sum > 0 ? sum : 0, multiplier);
  const int32_t value = (upper + ((int32_t)1 << (shift - 1))) >> shift;
  return value > 255 ? 255 : (uint8_t)value;
}

#ifndef TINYDIGITS_OUTPUTS
/* Brings the sums of all outputs to their scale, with their ReLU. */
static void tinydigits_outputs(const int32_t *sums, const tinydigits_layer *layer, uint8_t *out) {
  const int shift = layer->shift, count = layer->out;
  TINYDIGITS_CONST tinydigits_constant *bias = layer->bias;
  for (int o = 0; o < count; o++) out[o] = tinydigits_relu(sums[o] + bias[o], tinydigits_multiplier(layer, o), shift);
}
#endif

/* Computes two rows of a layer's output with its ReLU, or one row of the maxima of 2x2 values, from
   two rows of its input and the two `below` them. */
static void tinydigits_rows(const uint8_t *in, const uint8_t *below, int side,
                            const tinydigits_layer *layer, uint8_t *out) {
  const int count = layer->out, width = side - layer->kernel + 1, row = side * layer->in;
  const uint8_t *rows[4];
  rows[0] = in, rows[1] = in + row, rows[2] = below, rows[3] = below + row;
  for (int x = 0; x < width; x += 2) {
    int32_t sums[4][24]; /* of four neighbours, 2x2 */
    tinydigits_sums(rows, layer, sums);
    for (int r = 0; r < 4; r++) rows[r] += 2 * layer->in;
    if (layer->pool) {
      tinydigits_outputs(sums[0], layer, out);
      out += count;
    } else {
      tinydigits_outputs(sums[0], layer, out);
      tinydigits_outputs(sums[1], layer, out + count);
      tinydigits_outputs(sums[2], layer, out + width * count);
      tinydigits_outputs(sums[3], layer, out + width * count + count);
      out += 2 * count;
    }
  }
}

/* Returns a product shifted right and rounded to nearest, halves up. */
static int32_t tinydigits_rounded(int32_t sum, int32_t multiplier, int shift) {
  const int32_t size = sum < 0 ? -sum : sum;
  uint64_t product = (uint64_t)(uint32_t)tinydigits_upper(size, multiplier) << 32 |
                     (uint32_t)size * (uint32_t)multiplier;
  if (sum < 0 && product > 0) product--; /* halves go up to smaller sizes */
  while (shift-- > 1) product >>= 1; /* by one bit, which needs no library */
  return sum < 0 ? -(int32_t)((product + 1) >> 1) : (int32_t)((product + 1) >> 1);
}

/* Takes each channel's sum of 2x2 values, and computes the last layer from the sums. */
static void tinydigits_end(const uint8_t *in, const tinydigits_layer *layer, int32_t logits[10]) {
  for (int o = 0; o < 10; o++) {
    int32_t sum = layer->bias[o];
    for (int i = 0; i < 16; i++)
      sum += (int32_t)tinydigits_weight(layer->weight + (o / 8 * 32 + i / 4 * 8 + o % 8) * TINYDIGITS_GROUP, i % 4) *
             (in[i] + in[16 + i] + in[32 + i] + in[48 + i]);
    logits[o] = tinydigits_rounded(sum, tinydigits_multiplier(layer, o), 32 + layer->shift);
  }
}
