/* tinydigits @version@: reads a handwritten digit, 28x28 pixels, with a net of 13,034 parameters.

   Made by `tinydigits export c@option@` from the weights with SHA-256
   @sha256@.
   C99, no library, no memory allocation. Include it in one source file and call
   tinydigits_predict. Compiled with -DTINYDIGITS_SELFTEST, it is a program that checks itself and
   returns 0 if it passes. MIT licence. */
#ifndef TINYDIGITS_H
#define TINYDIGITS_H

#include <stdint.h>

#define TINYDIGITS_VERSION "@version@"
#define TINYDIGITS_SHA256 "@sha256@"
@defines@
#if defined(__GNUC__) && !defined(__OPTIMIZE_SIZE__)
#define TINYDIGITS_INLINE static inline __attribute__((always_inline))
#else
#define TINYDIGITS_INLINE static
#endif
