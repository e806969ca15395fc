/* Returns weight n of a layer. Two lie in a byte, the first in its lower half, as 8 more. */
TINYDIGITS_INLINE int tinydigits_weight(TINYDIGITS_CONST uint8_t *weights, int n) {
  const int two = weights[n / 2];
  return (n % 2 ? two >> 4 : two & 15) - 8;
}
