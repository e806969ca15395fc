/* The sums of four neighbours, 2x2, for all outputs, with the vectors of the processor at hand. All
   ways give the same integers; with TINYDIGITS_PLAIN defined, plain C is used. */
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
