/* Adds the products of weight i of a group; a product fits 16 bits. */
#define TINYDIGITS_TIMES(i) \
  do { \
    const int w = tinydigits_weight(group, i); \
    a += w * high[i], b += w * high_right[i]; \
    c += w * low[i], d += w * low_right[i]; \
  } while (0)

static void tinydigits_sums(const uint8_t *const rows[4], const tinydigits_layer *layer,
                            int32_t sums[4][24]) {
  const int channels = layer->in, groups = layer->kernel * layer->groups;
  TINYDIGITS_CONST tinydigits_weights *group = layer->weight;
  for (int o = 0; o < layer->out; o++) {
    int32_t a = 0, b = 0, c = 0, d = 0;
    for (int y = 0; y < layer->kernel; y++) {
      const uint8_t *high = rows[y], *high_right = high + channels;
      const uint8_t *low = rows[y + 1], *low_right = low + channels;
      for (int g = layer->groups; g > 0; g--) {
        TINYDIGITS_TIMES(0);
        TINYDIGITS_TIMES(1);
        TINYDIGITS_TIMES(2);
        if (channels > 1) TINYDIGITS_TIMES(3); /* a row of a picture has three */
        high += 4, high_right += 4, low += 4, low_right += 4;
        group += 8 * TINYDIGITS_GROUP;
      }
    }
    tinydigits_keep(sums, o, layer->pool, a, b, c, d);
    group -= (o % 8 == 7 ? 7 : 8 * groups - 1) * TINYDIGITS_GROUP;
  }
}
#undef TINYDIGITS_TIMES
