#include <arm_mve.h>
#define TINYDIGITS_OUTPUTS

/* Returns an output's weights in the next four groups, each plus 128 or, of 4 bits, plus 8. Groups
   lie where `from` says, less what this function adds to it. */
TINYDIGITS_INLINE uint8x16_t tinydigits_next_groups(uint32x4_t *from) {
#if TINYDIGITS_GROUP == 4
  const uint32x4_t four = vldrwq_gather_base_u32(*from, 0);
  *from = vaddq_n_u32(*from, 128);
  return veorq_u8(vreinterpretq_u8_u32(four), vdupq_n_u8(128));
#else
  uint32x4_t four = vldrhq_gather_offset_u32((const uint16_t *)0, *from);
  *from = vaddq_n_u32(*from, 64);
  four = vandq_u32(vorrq_u32(four, vshlq_n_u32(four, 8)), vdupq_n_u32(0x00FF00FF));
  four = vandq_u32(vorrq_u32(four, vshlq_n_u32(four, 4)), vdupq_n_u32(0x0F0F0F0F));
  return vreinterpretq_u8_u32(four);
#endif
}

/* Copies the inputs of four neighbours, sixteen of each in turn, and 0s to a multiple of sixteen.
   Returns the end. */
TINYDIGITS_INLINE uint8_t *tinydigits_gather(const uint8_t *const rows[4],
                                             const tinydigits_layer *layer, uint8_t *to) {
  const uint16x8_t none = vdupq_n_u16(0);
  int step = 8; /* to the next eight of the same neighbour */
  if (layer->in == 1) {
    for (int y = 0; y < 3; y++, to += 4) {
      const uint32_t upper = tinydigits_bytes(rows[y]), lower = tinydigits_bytes(rows[y + 1]);
      const uint32_t fours[4] = {upper, upper >> 8, lower, lower >> 8};
      for (int n = 0; n < 4; n++) __builtin_memcpy(to + 16 * n, &fours[n], 4);
    }
    for (int n = 0; n < 4; n++) __builtin_memset(to + 16 * n, 0, 4);
    return to + 52;
  }
  for (int y = 0; y < layer->kernel; y++) {
    const uint8_t *high = rows[y], *low = rows[y + 1];
    for (const uint8_t *end = high + 4 * layer->groups; high < end; high += 8, low += 8) {
      vstrbq_u16(to, vldrbq_u16(high));
      vstrbq_u16(to + 16, vldrbq_u16(high + layer->in));
      vstrbq_u16(to + 32, vldrbq_u16(low));
      vstrbq_u16(to + 48, vldrbq_u16(low + layer->in));
      to += step, step ^= 8 ^ 56;
    }
  }
  if (step == 8) return to;
  vstrbq_u16(to, none), vstrbq_u16(to + 16, none);
  vstrbq_u16(to + 32, none), vstrbq_u16(to + 48, none);
  return to + step;
}

static void tinydigits_sums(const uint8_t *const rows[4], const tinydigits_layer *layer,
                            int32_t sums[4][24]) {
  const int groups = layer->kernel * layer->groups;
  const uint32x4_t apart = vmulq_n_u32(vidupq_n_u32(0, 8), TINYDIGITS_GROUP);
  const uint32_t more = TINYDIGITS_GROUP == 4 ? 128 : 8; /* than a weight is */
  uint8_t inputs[14 * 4 * 16];
  const uint8_t *const end = tinydigits_gather(rows, layer, inputs);
  uint32_t before[4];
  for (int n = 0; n < 4; n++) {
    uint32_t sum = 0;
    for (const uint8_t *input = inputs + 16 * n; input < end; input += 64)
      sum = vaddvaq_u8(sum, vld1q_u8(input));
    before[n] = 0 - more * sum;
  }
  const int blocks = (groups + 3) / 4;
  const tinydigits_weights *group = layer->weight;
  for (int o = 0; o < layer->out; o += 8, group += (8 * groups - 8) * TINYDIGITS_GROUP) {
    for (int i = 0; i < 8; i++, group += TINYDIGITS_GROUP) {
      uint32x4_t from = vaddq_n_u32(apart, (uint32_t)(uintptr_t)group);
      uint32_t a = before[0], b = before[1], c = before[2], d = before[3];
      const uint8_t *input = inputs;
      int left = blocks;
      do {
        const uint8x16_t weights = tinydigits_next_groups(&from);
        input += 64;
        a = vmladavaq_u8(a, weights, vld1q_u8(input - 64));
        b = vmladavaq_u8(b, weights, vld1q_u8(input - 48));
        c = vmladavaq_u8(c, weights, vld1q_u8(input - 32));
        d = vmladavaq_u8(d, weights, vld1q_u8(input - 16));
      } while (--left);
      tinydigits_keep(sums, o + i, layer->pool, (int32_t)a, (int32_t)b, (int32_t)c, (int32_t)d);
    }
  }
}

TINYDIGITS_INLINE int32x4_t tinydigits_four_constants(const tinydigits_constant *from) {
  return sizeof *from == 4 ? vld1q_s32((const int32_t *)from) : vldrhq_s32((const int16_t *)from);
}

static void tinydigits_outputs(const int32_t *sums, const tinydigits_layer *layer, uint8_t *out) {
  const int32x4_t shift = vdupq_n_s32(-layer->shift);
  for (int o = 0; o < layer->out; o += 4) {
    const int32x4_t sum = vaddq_s32(vld1q_s32(sums + o), tinydigits_four_constants(layer->bias + o));
    const int32x4_t upper = vmulhq_s32(vmaxq_s32(sum, vdupq_n_s32(0)), vmulq_n_s32(tinydigits_four_constants(layer->multiplier + o), TINYDIGITS_UNIT));
    vstrbq_s32((int8_t *)out + o, vminq_s32(vrshlq_s32(upper, shift), vdupq_n_s32(255)));
  }
}
