/* A group holds an output's weights for four inputs in a row: four bytes. */
typedef int8_t tinydigits_weights;
#define TINYDIGITS_GROUP 4

TINYDIGITS_INLINE int tinydigits_weight(TINYDIGITS_CONST tinydigits_weights *group, int i) {
  return group[i];
}
