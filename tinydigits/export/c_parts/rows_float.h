typedef float tinydigits_value;
typedef float tinydigits_logit;

typedef struct {
  TINYDIGITS_CONST float *weight; /* [kernel][kernel][in][out] */
  TINYDIGITS_CONST float *bias;
  int in, out, kernel, pool;
} tinydigits_layer;

@layers@

static float tinydigits_picture[28 * 28];

static const float *tinydigits_input(const uint8_t pixels[784]) {
  for (int i = 0; i < 784; i++) tinydigits_picture[i] = pixels[i];
  return tinydigits_picture;
}

TINYDIGITS_INLINE float tinydigits_relu(float x) { return x > 0 ? x : 0; }

TINYDIGITS_INLINE float tinydigits_larger(float a, float b) { return a > b ? a : b; }

/* Computes two rows of a layer's output with its ReLU, or one row of the maxima of 2x2 values, from
   two rows of its input and the two `below` them. */
TINYDIGITS_INLINE void tinydigits_rows(const float *in, const float *below, int side,
                                       const tinydigits_layer *layer, float *out) {
  const int channels = layer->in, count = layer->out, width = side - layer->kernel + 1;
  const int row = side * channels, span = layer->kernel * channels;
  for (int x = 0; x < width; x += 2) {
    float a[24], b[24], c[24], d[24]; /* four neighbours, 2x2 */
    TINYDIGITS_CONST float *weight = layer->weight;
    for (int o = 0; o < count; o++) a[o] = b[o] = c[o] = d[o] = layer->bias[o];
    for (int y = 0; y < layer->kernel; y++) {
      const float *high = (y < 2 ? in + y * row : below + (y - 2) * row) + x * channels;
      const float *low = (y < 1 ? in + row : below + (y - 1) * row) + x * channels;
      for (int i = 0; i < span; i++, weight += count) {
        const float p = high[i], q = high[i + channels], r = low[i], s = low[i + channels];
#if defined(__clang__) || __GNUC__ >= 8
        /* Unrolled, this loop would not be vectorised. */
#pragma GCC unroll 1
#endif
        for (int o = 0; o < count; o++) {
          a[o] += p * weight[o];
          b[o] += q * weight[o];
          c[o] += r * weight[o];
          d[o] += s * weight[o];
        }
      }
    }
    if (layer->pool) {
      for (int o = 0; o < count; o++)
        out[x / 2 * count + o] = tinydigits_relu(
            tinydigits_larger(tinydigits_larger(a[o], b[o]), tinydigits_larger(c[o], d[o])));
    } else {
      float *upper = out + x * count, *lower = upper + width * count;
      for (int o = 0; o < count; o++) {
        upper[o] = tinydigits_relu(a[o]);
        upper[count + o] = tinydigits_relu(b[o]);
        lower[o] = tinydigits_relu(c[o]);
        lower[count + o] = tinydigits_relu(d[o]);
      }
    }
  }
}

/* Takes each channel's mean of 2x2 values, and computes the last layer from the means. */
static void tinydigits_end(const float *in, const tinydigits_layer *layer, float logits[10]) {
  for (int o = 0; o < 10; o++) logits[o] = layer->bias[o];
  for (int i = 0; i < 16; i++) {
    const float mean = (in[i] + in[16 + i] + in[32 + i] + in[48 + i]) / 4;
    for (int o = 0; o < 10; o++) logits[o] += mean * layer->weight[i * 10 + o];
  }
}
