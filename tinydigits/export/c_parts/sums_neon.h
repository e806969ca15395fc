#include <arm_neon.h>
#define TINYDIGITS_SIDE_BY_SIDE 4
#define TINYDIGITS_OUTPUTS
typedef int32x4_t tinydigits_vector;

TINYDIGITS_INLINE int8x16_t tinydigits_four_groups(const tinydigits_weights *from) {
#if TINYDIGITS_GROUP == 4
  return vld1q_s8(from);
#else
  const uint8x8_t two = vld1_u8(from);
  const uint8x8x2_t one = vzip_u8(vand_u8(two, vdup_n_u8(15)), vshr_n_u8(two, 4));
  return vsubq_s8(vreinterpretq_s8_u8(vcombine_u8(one.val[0], one.val[1])), vdupq_n_s8(8));
#endif
}

TINYDIGITS_INLINE tinydigits_vector tinydigits_most(tinydigits_vector a, tinydigits_vector b) {
  return vmaxq_s32(a, b);
}

TINYDIGITS_INLINE void tinydigits_store(int32_t *to, tinydigits_vector sums) {
  vst1q_s32(to, sums);
}

#ifdef __ARM_FEATURE_MATMUL_INT8
typedef int32x4_t tinydigits_partial;
typedef int8x16_t tinydigits_loaded;

TINYDIGITS_INLINE tinydigits_partial tinydigits_nothing(void) { return vdupq_n_s32(0); }

TINYDIGITS_INLINE tinydigits_loaded tinydigits_load(const tinydigits_weights *from) {
  return tinydigits_four_groups(from);
}

TINYDIGITS_INLINE tinydigits_partial tinydigits_products(tinydigits_partial sums,
                                                         tinydigits_loaded w, uint32_t four) {
  return vusdotq_s32(sums, vreinterpretq_u8_u32(vdupq_n_u32(four)), w);
}

TINYDIGITS_INLINE tinydigits_vector tinydigits_total(tinydigits_partial sums) { return sums; }
#else
/* Two sums of each output. A product fits 16 bits: 255 times 127 is below 32,768. */
typedef int32x4x2_t tinydigits_partial;
typedef int16x8x2_t tinydigits_loaded;

TINYDIGITS_INLINE tinydigits_partial tinydigits_nothing(void) {
  const tinydigits_partial nothing = {{vdupq_n_s32(0), vdupq_n_s32(0)}};
  return nothing;
}

TINYDIGITS_INLINE tinydigits_loaded tinydigits_load(const tinydigits_weights *from) {
  const int8x16_t bytes = tinydigits_four_groups(from);
  const tinydigits_loaded w = {{vmovl_s8(vget_low_s8(bytes)), vmovl_s8(vget_high_s8(bytes))}};
  return w;
}

TINYDIGITS_INLINE tinydigits_partial tinydigits_products(tinydigits_partial sums,
                                                         tinydigits_loaded w, uint32_t four) {
  const int16x8_t inputs = vreinterpretq_s16_u16(vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(four))));
  sums.val[0] = vpadalq_s16(sums.val[0], vmulq_s16(inputs, w.val[0]));
  sums.val[1] = vpadalq_s16(sums.val[1], vmulq_s16(inputs, w.val[1]));
  return sums;
}

TINYDIGITS_INLINE tinydigits_vector tinydigits_total(tinydigits_partial sums) {
  const int32x4x2_t apart = vuzpq_s32(sums.val[0], sums.val[1]);
  return vaddq_s32(apart.val[0], apart.val[1]);
}
#endif

TINYDIGITS_INLINE int32x4_t tinydigits_constants(const tinydigits_constant *from) {
  return sizeof *from == 4 ? vld1q_s32((const int32_t *)from)
                           : vmovl_s16(vld1_s16((const int16_t *)from));
}

static void tinydigits_outputs(const int32_t *sums, const tinydigits_layer *layer, uint8_t *out) {
  const int32x4_t shift = vdupq_n_s32(-layer->shift);
  for (int o = 0; o < layer->out; o += 4) {
    const int32x4_t biased = vaddq_s32(vld1q_s32(sums + o), tinydigits_constants(layer->bias + o));
    const int32x4_t sum = vmaxq_s32(biased, vdupq_n_s32(0));
    const int32x4_t multiplier =
        vmulq_n_s32(tinydigits_constants(layer->multiplier + o), TINYDIGITS_UNIT);
    const int64x2_t first = vmull_s32(vget_low_s32(sum), vget_low_s32(multiplier));
    const int64x2_t second = vmull_s32(vget_high_s32(sum), vget_high_s32(multiplier));
    const int32x4_t upper = vcombine_s32(vshrn_n_s64(first, 32), vshrn_n_s64(second, 32));
    const int32x4_t value = vminq_s32(vrshlq_s32(upper, shift), vdupq_n_s32(255));
    const uint16x4_t words = vmovn_u32(vreinterpretq_u32_s32(value));
    const uint8x8_t bytes = vmovn_u16(vcombine_u16(words, words));
    vst1_lane_u32((uint32_t *)(void *)(out + o), vreinterpret_u32_u8(bytes), 0);
  }
}
