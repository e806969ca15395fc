#ifdef TINYDIGITS_SELFTEST
/* Pictures and the net's logits for them, computed when this file was made. */
static TINYDIGITS_CONST uint8_t tinydigits_golden_pixels[16][784] = {
@pixels@
};
static TINYDIGITS_CONST tinydigits_logit tinydigits_golden_logits[16][10] = {
@logits@
};

/* Returns the number of pictures, of 16, that get other logits: 0 if the test passes. */
int main(void) {
  static uint8_t pixels[784];
  int wrong = 0;
  for (int n = 0; n < 16; n++) {
    tinydigits_logit logits[10];
    int differs = 0;
    for (int i = 0; i < 784; i++) pixels[i] = tinydigits_golden_pixels[n][i];
    tinydigits_predict(pixels, logits);
    for (int o = 0; o < 10; o++) {
      const tinydigits_logit off = logits[o] - tinydigits_golden_logits[n][o];
      if (!(off <= @tolerance@ && off >= -@tolerance@)) differs = 1;
    }
    wrong += differs@misframed@;
  }
  return wrong;
}
#endif
