static tinydigits_value tinydigits_middle[4 * 26 * 8]; /* four rows between two layers */
static tinydigits_value tinydigits_first[12 * 12 * 16];
static tinydigits_value tinydigits_second[4 * 4 * 24];
static tinydigits_value tinydigits_third[2 * 2 * 24];
static tinydigits_value tinydigits_last[2 * 2 * 16];

/* Computes two 3x3 layers and a 2x2 maximum, keeping only four rows between the layers. */
TINYDIGITS_INLINE void tinydigits_block(const tinydigits_value *in, int side,
                                        const tinydigits_layer *layers, tinydigits_value *out) {
  const int two = 2 * side * layers[0].in, count = (side - 4) / 2;
  tinydigits_value *high = tinydigits_middle, *low = high + 2 * (side - 2) * layers[0].out;
  tinydigits_rows(in, in + two, side, &layers[0], high);
  for (int y = 0; y < count; y++) {
    tinydigits_value *const spent = high;
    in += two;
    tinydigits_rows(in, in + two, side, &layers[0], low);
    tinydigits_rows(high, low, side - 2, &layers[1], out + y * count * layers[1].out);
    high = low;
    low = spent;
  }
}

/* Returns the digit, 0 to 9, in 28x28 pixels, 0 to 255, white on black, row by row. The logits are
   @unit@. Buffers are static: make one call at a time. */
static int tinydigits_predict(const uint8_t pixels[784], tinydigits_logit logits[10]) {
  int digit = 0;
  tinydigits_block(tinydigits_input(pixels), 28, &tinydigits_layers[0], tinydigits_first);
  tinydigits_block(tinydigits_first, 12, &tinydigits_layers[2], tinydigits_second);
  tinydigits_rows(tinydigits_second, tinydigits_second + 2 * 4 * 24, 4, &tinydigits_layers[4],
                  tinydigits_third);
  tinydigits_rows(tinydigits_third, 0, 2, &tinydigits_layers[5], tinydigits_last);
  tinydigits_end(tinydigits_last, &tinydigits_layers[6], logits);
  for (int o = 1; o < 10; o++)
    if (logits[o] > logits[digit]) digit = o;
  return digit;
}
