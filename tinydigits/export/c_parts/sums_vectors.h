/* Outputs side by side: each group of inputs is multiplied with their weights at once. */
static void tinydigits_sums(const uint8_t *const rows[4], const tinydigits_layer *layer,
                            int32_t sums[4][24]) {
  const int right = layer->in == 1 ? 0 : layer->in, shift = layer->in == 1 ? 8 : 0;
  const int groups = layer->kernel * layer->groups;
  for (int o = 0; o < layer->out; o += TINYDIGITS_SIDE_BY_SIDE) {
    const tinydigits_weights *group =
        layer->weight + (o / 8 * 8 * groups + o % 8) * TINYDIGITS_GROUP;
    tinydigits_partial a = tinydigits_nothing(), b = a, c = a, d = a;
    for (int y = 0; y < layer->kernel; y++) {
      const uint8_t *high = rows[y], *low = rows[y + 1];
      for (int i = 0; i < layer->groups; i++, high += 4, low += 4) {
        const tinydigits_loaded w = tinydigits_load(group);
        a = tinydigits_products(a, w, tinydigits_bytes(high));
        b = tinydigits_products(b, w, tinydigits_bytes(high + right) >> shift);
        c = tinydigits_products(c, w, tinydigits_bytes(low));
        d = tinydigits_products(d, w, tinydigits_bytes(low + right) >> shift);
        group += 8 * TINYDIGITS_GROUP;
      }
    }
    const tinydigits_vector e = tinydigits_total(a), f = tinydigits_total(b);
    const tinydigits_vector g = tinydigits_total(c), h = tinydigits_total(d);
    if (layer->pool) {
      tinydigits_store(sums[0] + o, tinydigits_most(tinydigits_most(e, f), tinydigits_most(g, h)));
    } else {
      tinydigits_store(sums[0] + o, e);
      tinydigits_store(sums[1] + o, f);
      tinydigits_store(sums[2] + o, g);
      tinydigits_store(sums[3] + o, h);
    }
  }
}
