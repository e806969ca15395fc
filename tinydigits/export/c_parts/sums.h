/* tinydigits_sums adds up the products of four neighbours' inputs, 2x2, with the weights of every
   output. `rows` are the four rows of the input, from the left neighbours' first pixel on. The ways
   to do so give the same integers; TINYDIGITS_PLAIN chooses plain C. */
#if defined(__GNUC__) && !defined(TINYDIGITS_PLAIN) && \
    (!defined(__BYTE_ORDER__) || __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
/* Returns four bytes, wherever they begin. */
TINYDIGITS_INLINE uint32_t tinydigits_bytes(const void *from) {
  uint32_t four;
  __builtin_memcpy(&four, from, 4);
  return four;
}

#if defined(__ARM_FEATURE_MVE)
#define TINYDIGITS_SUMS
@helium@
#elif defined(__ARM_NEON)
#define TINYDIGITS_SUMS
@neon@
@vectors@
#elif defined(__ARM_FEATURE_SIMD32)
#define TINYDIGITS_SUMS
@dsp@
#elif defined(__SSE2__)
#define TINYDIGITS_SUMS
@x86@
@vectors@
#endif
#endif

#ifndef TINYDIGITS_SUMS
@plain@
#endif
