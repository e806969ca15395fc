/* tinydigits_sums adds up the products of four neighbours' inputs, 2x2, with the weights of every
   output. `rows` are the four rows of the input, from the left neighbours' first pixel on. The ways
   to do so give the same integers; TINYDIGITS_PLAIN chooses plain C. */
#if defined(__GNUC__) && !defined(TINYDIGITS_PLAIN) && \
    (!defined(__BYTE_ORDER__) || __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) && \
    (defined(__ARM_FEATURE_MVE) || defined(__ARM_NEON) || defined(__ARM_FEATURE_SIMD32) || \
     defined(__SSE2__))
/* Returns four bytes, wherever they begin. */
TINYDIGITS_INLINE uint32_t tinydigits_bytes(const void *from) {
  uint32_t four;
  __builtin_memcpy(&four, from, 4);
  return four;
}

#if defined(__ARM_FEATURE_MVE)
@helium@
#elif defined(__ARM_NEON)
@neon@
@vectors@
#elif defined(__ARM_FEATURE_SIMD32)
@dsp@
#else
@x86@
@vectors@
#endif
#else
@plain@
#endif
