/* Returns weight n of a layer. Two share a byte, the first in its lower half; each is stored as 8
   more than it is. */
TINYDIGITS_INLINE int tinydigits_weight(TINYDIGITS_CONST uint8_t *weights, int n) {
  const int two = weights[n >> 1];
  return (n & 1 ? two >> 4 : two & 15) - 8;
}
