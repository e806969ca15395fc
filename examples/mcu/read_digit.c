/* All the code that an application needs: one function in one source file. */

#include "tinydigits.h"

int read_digit(const uint8_t pixels[784]);

int read_digit(const uint8_t pixels[784]) {
  tinydigits_logit logits[10];
  return tinydigits_predict(pixels, logits);
}
