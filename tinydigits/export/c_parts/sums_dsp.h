#include <arm_acle.h>

/* Widens a group's weights to pairs of 16 bits: the first and third, the second and fourth. */
TINYDIGITS_INLINE void tinydigits_pairs(const tinydigits_weights *group, int16x2_t *even,
                                        int16x2_t *odd) {
#if TINYDIGITS_GROUP == 4
  const uint32_t four = tinydigits_bytes(group);
  *even = __sxtb16((int8x4_t)four);
  __asm__("sxtb16 %0, %1, ror #8" : "=r"(*odd) : "r"(four)); /* which GCC makes two of */
#else
  uint16_t four;
  __builtin_memcpy(&four, group, 2);
  const uint32_t apart = four | (uint32_t)four << 8;
  *even = __ssub16((int16x2_t)(apart & 0x000F000F), 0x00080008);
  *odd = __ssub16((int16x2_t)(apart >> 4 & 0x000F000F), 0x00080008);
#endif
}

/* Reads two pairs and moves on, in one instruction, which GCC makes two of. */
#define TINYDIGITS_TWO(first, second, from) \
  __asm__("ldrd %0, %1, [%2], #8" : "=r"(first), "=r"(second), "+r"(from) : : "memory")

/* Widens four inputs in the same way. */
TINYDIGITS_INLINE void tinydigits_widen(uint32_t four, int16x2_t *to) {
  to[0] = (int16x2_t)__uxtb16(four);
  to[1] = (int16x2_t)__uxtb16(four >> 8);
}

/* An instruction adds up two products of 16 bits. Inputs are widened once for all outputs. */
static void tinydigits_sums(const uint8_t *const rows[4], const tinydigits_layer *layer,
                            int32_t sums[4][24]) {
  const int channels = layer->in, span = 4 * layer->groups;
  int16x2_t inputs[9 * 24 * 4 / 2], *to = inputs;
  for (int y = 0; y < layer->kernel; y++) {
    const uint8_t *high = rows[y], *low = rows[y + 1];
    if (channels == 1) {
      const uint32_t upper = tinydigits_bytes(high), lower = tinydigits_bytes(low);
      tinydigits_widen(upper, to);
      tinydigits_widen(upper >> 8, to + 2);
      tinydigits_widen(lower, to + 4);
      tinydigits_widen(lower >> 8, to + 6);
      to += 8;
    } else {
      for (int i = 0; i < span; i += 4, to += 8) {
        tinydigits_widen(tinydigits_bytes(high + i), to);
        tinydigits_widen(tinydigits_bytes(high + channels + i), to + 2);
        tinydigits_widen(tinydigits_bytes(low + i), to + 4);
        tinydigits_widen(tinydigits_bytes(low + channels + i), to + 6);
      }
    }
  }
  for (int o = 0; o < layer->out; o++) {
    const tinydigits_weights *group =
        layer->weight + (o / 8 * (to - inputs) + o % 8) * TINYDIGITS_GROUP;
    int32_t a = 0, b = 0, c = 0, d = 0;
    const int16x2_t *input = inputs;
    do {
      int16x2_t even, odd, first, second;
      tinydigits_pairs(group, &even, &odd);
      TINYDIGITS_TWO(first, second, input);
      a = __smlad(first, even, a), a = __smlad(second, odd, a);
      TINYDIGITS_TWO(first, second, input);
      b = __smlad(first, even, b), b = __smlad(second, odd, b);
      TINYDIGITS_TWO(first, second, input);
      c = __smlad(first, even, c), c = __smlad(second, odd, c);
      TINYDIGITS_TWO(first, second, input);
      d = __smlad(first, even, d), d = __smlad(second, odd, d);
      group += 8 * TINYDIGITS_GROUP;
    } while (input != to);
    tinydigits_keep(sums, o, layer->pool, a, b, c, d);
  }
}
