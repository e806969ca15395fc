/* tinydigits @version@: reads a handwritten digit, 28x28 pixels, with a net of 13,034 parameters.

   Made by `tinydigits export c@option@` from the weights with SHA-256
   @sha256@.
   C99, no library, no memory allocation. Include it in one source file and call
   tinydigits_predict. Compiled with -DTINYDIGITS_SELFTEST, it is a program that checks itself and
   returns 0 if it passes. MIT licence. */
#ifdef TINYDIGITS_H
#ifndef TINYDIGITS_FILE_@digest@
#error "another net has defined tinydigits_predict: export one of the two with --prefix NAME"
#endif
#else
#define TINYDIGITS_H
#define TINYDIGITS_FILE_@digest@

#include <stdint.h>

#define TINYDIGITS_VERSION "@version@"
#define TINYDIGITS_SHA256 "@sha256@"
@defines@
#if defined(__GNUC__) && !defined(__OPTIMIZE_SIZE__)
#define TINYDIGITS_INLINE static inline __attribute__((always_inline))
#else
#define TINYDIGITS_INLINE static
#endif

/* An AVR copies constants to RAM unless they are declared __flash, which only GNU C knows. */
#if defined(__FLASH) && !defined(__STRICT_ANSI__) && !defined(__cplusplus)
#define TINYDIGITS_CONST const __flash
#else
#define TINYDIGITS_CONST const
#endif
