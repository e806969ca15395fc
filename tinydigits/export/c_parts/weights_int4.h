/* A group holds an output's weights for four inputs in a row: two bytes, two weights a byte, the
   first in its lower half. Each is stored as 8 more than it is. */
typedef uint8_t tinydigits_weights;
#define TINYDIGITS_GROUP 2

TINYDIGITS_INLINE int tinydigits_weight(TINYDIGITS_CONST tinydigits_weights *group, int i) {
  return (group[i >> 1] >> (i & 1) * 4 & 15) - 8;
}
