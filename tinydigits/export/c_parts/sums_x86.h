#include <immintrin.h>

/* Returns the weights of four groups as bytes. */
TINYDIGITS_INLINE __m128i tinydigits_four_groups(const tinydigits_weights *from) {
#if TINYDIGITS_GROUP == 4
  return _mm_loadu_si128((const __m128i *)from);
#else
  const __m128i two = _mm_loadl_epi64((const __m128i *)from), half = _mm_set1_epi8(15);
  const __m128i first = _mm_and_si128(two, half);
  const __m128i second = _mm_and_si128(_mm_srli_epi16(two, 4), half);
  return _mm_sub_epi8(_mm_unpacklo_epi8(first, second), _mm_set1_epi8(8));
#endif
}

#ifdef __AVX2__
#define TINYDIGITS_SIDE_BY_SIDE 8
#define TINYDIGITS_OUTPUTS
typedef __m256i tinydigits_vector;

TINYDIGITS_INLINE tinydigits_vector tinydigits_most(tinydigits_vector a, tinydigits_vector b) {
  return _mm256_max_epi32(a, b);
}

TINYDIGITS_INLINE void tinydigits_store(int32_t *to, tinydigits_vector sums) {
  _mm256_storeu_si256((__m256i *)to, sums);
}

#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
#define TINYDIGITS_DOT _mm256_dpbusd_epi32
#elif defined(__AVXVNNI__)
#define TINYDIGITS_DOT _mm256_dpbusd_avx_epi32
#endif

#ifdef TINYDIGITS_DOT
typedef __m256i tinydigits_partial, tinydigits_loaded;

TINYDIGITS_INLINE tinydigits_partial tinydigits_nothing(void) { return _mm256_setzero_si256(); }

TINYDIGITS_INLINE tinydigits_loaded tinydigits_load(const tinydigits_weights *from) {
  return _mm256_set_m128i(tinydigits_four_groups(from + 4 * TINYDIGITS_GROUP),
                          tinydigits_four_groups(from));
}

TINYDIGITS_INLINE tinydigits_partial tinydigits_products(tinydigits_partial sums,
                                                         tinydigits_loaded w, uint32_t four) {
  return TINYDIGITS_DOT(sums, _mm256_set1_epi32((int)four), w);
}

TINYDIGITS_INLINE tinydigits_vector tinydigits_total(tinydigits_partial sums) { return sums; }
#else
/* Two sums of each output: an instruction adds up two products of 16 bits. */
typedef struct { __m256i first, second; } tinydigits_partial, tinydigits_loaded;

TINYDIGITS_INLINE tinydigits_partial tinydigits_nothing(void) {
  const tinydigits_partial nothing = {_mm256_setzero_si256(), _mm256_setzero_si256()};
  return nothing;
}

TINYDIGITS_INLINE tinydigits_loaded tinydigits_load(const tinydigits_weights *from) {
  const tinydigits_loaded w = {
      _mm256_cvtepi8_epi16(tinydigits_four_groups(from)),
      _mm256_cvtepi8_epi16(tinydigits_four_groups(from + 4 * TINYDIGITS_GROUP))};
  return w;
}

TINYDIGITS_INLINE tinydigits_partial tinydigits_products(tinydigits_partial sums,
                                                         tinydigits_loaded w, uint32_t four) {
  const __m256i inputs = _mm256_cvtepu8_epi16(_mm_set1_epi32((int)four));
  sums.first = _mm256_add_epi32(sums.first, _mm256_madd_epi16(inputs, w.first));
  sums.second = _mm256_add_epi32(sums.second, _mm256_madd_epi16(inputs, w.second));
  return sums;
}

TINYDIGITS_INLINE tinydigits_vector tinydigits_total(tinydigits_partial sums) {
  return _mm256_permute4x64_epi64(_mm256_hadd_epi32(sums.first, sums.second), 0xD8);
}
#endif

TINYDIGITS_INLINE __m256i tinydigits_constants(const tinydigits_constant *from) {
  return sizeof *from == 4 ? _mm256_loadu_si256((const __m256i *)from)
                           : _mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)from));
}

static void tinydigits_outputs(const int32_t *sums, const tinydigits_layer *layer, uint8_t *out) {
  const __m256i half = _mm256_set1_epi32(1 << (layer->shift - 1));
  const __m128i shift = _mm_cvtsi32_si128(layer->shift);
  for (int o = 0; o < layer->out; o += 8) {
    const __m256i biased = _mm256_add_epi32(_mm256_loadu_si256((const __m256i *)(sums + o)),
                                            tinydigits_constants(layer->bias + o));
    const __m256i sum = _mm256_max_epi32(biased, _mm256_setzero_si256());
    const __m256i multiplier = _mm256_mullo_epi32(tinydigits_constants(layer->multiplier + o),
                                                  _mm256_set1_epi32(TINYDIGITS_UNIT));
    const __m256i even = _mm256_mul_epu32(sum, multiplier);
    const __m256i odd =
        _mm256_mul_epu32(_mm256_srli_epi64(sum, 32), _mm256_srli_epi64(multiplier, 32));
    const __m256i upper = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
    const __m256i value = _mm256_sra_epi32(_mm256_add_epi32(upper, half), shift);
    const __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(value), _mm256_extracti128_si256(value, 1));
    _mm_storel_epi64((__m128i *)(out + o), _mm_packus_epi16(words, words));
  }
}
#else
#define TINYDIGITS_SIDE_BY_SIDE 4
typedef __m128i tinydigits_vector;
typedef struct { __m128i first, second; } tinydigits_partial, tinydigits_loaded;

TINYDIGITS_INLINE tinydigits_vector tinydigits_most(tinydigits_vector a, tinydigits_vector b) {
  const __m128i above = _mm_cmpgt_epi32(a, b);
  return _mm_or_si128(_mm_and_si128(above, a), _mm_andnot_si128(above, b));
}

TINYDIGITS_INLINE void tinydigits_store(int32_t *to, tinydigits_vector sums) {
  _mm_storeu_si128((__m128i *)to, sums);
}

TINYDIGITS_INLINE tinydigits_partial tinydigits_nothing(void) {
  const tinydigits_partial nothing = {_mm_setzero_si128(), _mm_setzero_si128()};
  return nothing;
}

TINYDIGITS_INLINE tinydigits_loaded tinydigits_load(const tinydigits_weights *from) {
  const __m128i bytes = tinydigits_four_groups(from);
  const tinydigits_loaded w = {_mm_srai_epi16(_mm_unpacklo_epi8(bytes, bytes), 8),
                               _mm_srai_epi16(_mm_unpackhi_epi8(bytes, bytes), 8)};
  return w;
}

TINYDIGITS_INLINE tinydigits_partial tinydigits_products(tinydigits_partial sums,
                                                         tinydigits_loaded w, uint32_t four) {
  const __m128i inputs = _mm_unpacklo_epi8(_mm_set1_epi32((int)four), _mm_setzero_si128());
  sums.first = _mm_add_epi32(sums.first, _mm_madd_epi16(inputs, w.first));
  sums.second = _mm_add_epi32(sums.second, _mm_madd_epi16(inputs, w.second));
  return sums;
}

TINYDIGITS_INLINE tinydigits_vector tinydigits_total(tinydigits_partial sums) {
  const __m128 first = _mm_castsi128_ps(sums.first), second = _mm_castsi128_ps(sums.second);
  return _mm_add_epi32(_mm_castps_si128(_mm_shuffle_ps(first, second, 0x88)),
                       _mm_castps_si128(_mm_shuffle_ps(first, second, 0xDD)));
}
#endif
