typedef uint8_t tinydigits_value;
typedef int32_t tinydigits_logit;

/* Integers only. A layer's output is its sums times `multiplier`, shifted right by `shift`. */
typedef struct {
  TINYDIGITS_CONST @weights@ *weight; /* [out][kernel][kernel][in] */
  TINYDIGITS_CONST @constants@ *bias, *multiplier;
  int in, out, kernel, pool, shift;
} tinydigits_layer;

@layers@

static const uint8_t *tinydigits_input(const uint8_t pixels[784]) { return pixels; }

/* Rounds to nearest, halves up. Right shifts of negative numbers are not portable. */
static int64_t tinydigits_rescaled(int32_t sum, int32_t multiplier, int shift) {
  const int64_t product = (int64_t)sum * multiplier + ((int64_t)1 << (shift - 1));
  return product < 0 ? ~(~product >> shift) : product >> shift;
}

static uint8_t tinydigits_relu(int32_t sum, const tinydigits_layer *layer, int o) {
  if (sum <= 0) return 0;
  const int64_t value = tinydigits_rescaled(sum, layer->multiplier[o], layer->shift);
  return value > 255 ? 255 : (uint8_t)value;
}

TINYDIGITS_INLINE int32_t tinydigits_larger(int32_t a, int32_t b) { return a > b ? a : b; }

/* Computes two rows of a layer's output with its ReLU, or one row of the maxima of 2x2 values, from
   two rows of its input and the two `below` them. */
TINYDIGITS_INLINE void tinydigits_rows(const uint8_t *in, const uint8_t *below, int side,
                                       const tinydigits_layer *layer, uint8_t *out) {
  const int channels = layer->in, count = layer->out, width = side - layer->kernel + 1;
  const int row = side * channels, span = layer->kernel * channels;
  for (int x = 0; x < width; x += 2) {
    @first_weight@;
    for (int o = 0; o < count; o++) {
      int32_t a, b, c, d; /* four neighbours, 2x2 */
      a = b = c = d = layer->bias[o];
      for (int y = 0; y < layer->kernel; y++) {
        const uint8_t *high = (y < 2 ? in + y * row : below + (y - 2) * row) + x * channels;
        const uint8_t *low = (y < 1 ? in + row : below + (y - 1) * row) + x * channels;
        for (int i = 0; i < span; i++) {
          const int w = @next_weight@; /* its product with a value fits 16 bits */
          a += w * high[i];
          b += w * high[i + channels];
          c += w * low[i];
          d += w * low[i + channels];
        }
      }
      if (layer->pool) {
        a = tinydigits_larger(tinydigits_larger(a, b), tinydigits_larger(c, d));
        out[x / 2 * count + o] = tinydigits_relu(a, layer, o);
      } else {
        uint8_t *upper = out + x * count + o, *lower = upper + width * count;
        upper[0] = tinydigits_relu(a, layer, o);
        upper[count] = tinydigits_relu(b, layer, o);
        lower[0] = tinydigits_relu(c, layer, o);
        lower[count] = tinydigits_relu(d, layer, o);
      }
    }
  }
}

/* Takes each channel's sum of 2x2 values, and computes the last layer from the sums. */
static void tinydigits_end(const uint8_t *in, const tinydigits_layer *layer, int32_t logits[10]) {
  for (int o = 0; o < 10; o++) {
    int32_t sum = layer->bias[o];
    for (int i = 0; i < 16; i++)
      sum += (int32_t)@weight_of_last@ * (in[i] + in[16 + i] + in[32 + i] + in[48 + i]);
    logits[o] = (int32_t)tinydigits_rescaled(sum, layer->multiplier[o], layer->shift);
  }
}
