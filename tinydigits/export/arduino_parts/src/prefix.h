/* tinydigits @version@: reads a handwritten digit, 28x28 pixels, with a net of 13,034 parameters.
   MIT licence. */
#ifndef TINYDIGITS_H
#define TINYDIGITS_H

#include <stdint.h>

#define TINYDIGITS_LOGIT_ONE @one@

#ifdef __cplusplus
extern "C" {
#endif

typedef int32_t tinydigits_logit;

/* Returns the digit, 0 to 9, in 28x28 pixels, 0 to 255, white on black, row by row. The logits are
   integers, TINYDIGITS_LOGIT_ONE times a float net's. Buffers are static: make one call at a
   time. */
int tinydigits_predict(const uint8_t pixels[784], tinydigits_logit logits[10]);

#ifdef __cplusplus
}
#endif

#endif
