/* The net is compiled as C: an AVR keeps constants in flash if they are declared __flash, which C++
   does not know. */

#include "@prefix@.h"

#include "internal/@prefix@_net.h"

int tinydigits_predict(const uint8_t pixels[784], tinydigits_logit logits[10]) {
  return tinydigits_net_predict(pixels, logits);
}
