typedef uint8_t tinydigits_value;
typedef int32_t tinydigits_logit;
typedef @constant@ tinydigits_constant;

/* Multipliers are kept without lower bits of 0: times this, they have 31 bits. */
#define TINYDIGITS_UNIT @unit_of_multipliers@

/* Integers only. A layer's output is its sums times `multiplier`, shifted right by 32 and `shift`.
   The weights of eight outputs follow each other group by group, row by row of the kernel. */
typedef struct {
  TINYDIGITS_CONST tinydigits_weights *weight;
  TINYDIGITS_CONST tinydigits_constant *bias, *multiplier;
  int in, out, kernel, pool, groups, shift; /* `groups` in a row of the kernel */
} tinydigits_layer;

/* Helium gathers words, which must begin at multiples of four. */
#ifdef __GNUC__
#define TINYDIGITS_ALIGNED __attribute__((aligned(4)))
#else
#define TINYDIGITS_ALIGNED
#endif

@layers@

static const uint8_t *tinydigits_input(const uint8_t pixels[784]) { return pixels; }

TINYDIGITS_INLINE int32_t tinydigits_multiplier(const tinydigits_layer *layer, int o) {
  return (int32_t)layer->multiplier[o] * TINYDIGITS_UNIT;
}

TINYDIGITS_INLINE int32_t tinydigits_larger(int32_t a, int32_t b) { return a > b ? a : b; }

/* Keeps an output's sums for four neighbours, 2x2, or only the largest if a maximum follows. */
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
/* Returns the upper 32 bits of the product of two numbers that are not negative. */
TINYDIGITS_INLINE int32_t tinydigits_upper(int32_t a, int32_t b) {
#if defined(__ARM_ARCH_6M__) || defined(__AVR__) || defined(TINYDIGITS_PLAIN)
  /* Without an instruction for a product of 64 bits: from four products of 16 bits. */
  const uint32_t high = (uint32_t)a >> 16, low = (uint32_t)a & 0xFFFF;
  const uint32_t upper = (uint32_t)b >> 16, lower = (uint32_t)b & 0xFFFF;
  const uint32_t middle = high * lower + (low * lower >> 16);
  const uint32_t rest = low * upper + (middle & 0xFFFF);
  return (int32_t)(high * upper + (middle >> 16) + (rest >> 16));
#else
  return (int32_t)((int64_t)a * b >> 32);
#endif
}

#ifndef TINYDIGITS_OUTPUTS
/* Brings the sums of all outputs to the next layer's scale: adds biases, replaces negative sums by
   0, rounds to nearest, halves up, and keeps to 255. */
static void tinydigits_outputs(const int32_t *sums, const tinydigits_layer *layer, uint8_t *out) {
  const int32_t half = (int32_t)1 << (layer->shift - 1);
  const int count = layer->out, shift = layer->shift;
  TINYDIGITS_CONST tinydigits_constant *bias = layer->bias;
  for (int o = 0; o < count; o++) {
    const int32_t sum = tinydigits_larger(sums[o] + bias[o], 0);
    /* The lower 32 bits of the product decide nothing. */
    const int32_t value = (tinydigits_upper(sum, tinydigits_multiplier(layer, o)) + half) >> shift;
    out[o] = value > 255 ? 255 : (uint8_t)value;
  }
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
    int32_t sums[4][24];
    tinydigits_sums(rows, layer, sums);
    for (int r = 0; r < 4; r++) rows[r] += 2 * layer->in;
    tinydigits_outputs(sums[0], layer, out);
    if (!layer->pool) {
      uint8_t *const lower = out + width * count;
      tinydigits_outputs(sums[1], layer, out + count);
      tinydigits_outputs(sums[2], layer, lower);
      tinydigits_outputs(sums[3], layer, lower + count);
      out += count;
    }
    out += count;
  }
}

/* Returns a product shifted right and rounded to nearest, halves up. */
static int32_t tinydigits_scaled(int32_t sum, int32_t multiplier, int shift) {
  const int32_t size = sum < 0 ? -sum : sum;
  uint64_t product = (uint64_t)(uint32_t)tinydigits_upper(size, multiplier) << 32;
  product |= (uint32_t)size * (uint32_t)multiplier;
  if (sum < 0 && product > 0) product--; /* upwards is to the smaller of two negative numbers */
  while (shift-- > 1) product >>= 1; /* bit by bit, which needs no library */
  const int32_t scaled = (int32_t)((product + 1) >> 1);
  return sum < 0 ? -scaled : scaled;
}

/* Takes each channel's sum of 2x2 values, and computes the last layer from the sums. */
static void tinydigits_end(const uint8_t *in, const tinydigits_layer *layer, int32_t logits[10]) {
  for (int o = 0; o < 10; o++) {
    TINYDIGITS_CONST tinydigits_weights *group =
        layer->weight + (o / 8 * 32 + o % 8) * TINYDIGITS_GROUP;
    int32_t sum = layer->bias[o];
    for (int i = 0; i < 16; i += 4, group += 8 * TINYDIGITS_GROUP)
      for (int j = i; j < i + 4; j++)
        sum += (int32_t)tinydigits_weight(group, j - i) *
               (in[j] + in[16 + j] + in[32 + j] + in[48 + j]);
    logits[o] = tinydigits_scaled(sum, tinydigits_multiplier(layer, o), 32 + layer->shift);
  }
}
