/* From a camera's frame to the net's picture, as the package's Python code prepares one: paper has
   the brightness that is measured beside the ink, ink is what differs from it, and the digit is the
   largest piece of ink with the pieces close to it. Contrasts are in 16ths of a grey level. A
   Cortex-M0 cannot divide and has no products of 64 bits, so a function divides and no product
   needs more than 32. */
#define TINYDIGITS_NO_DIGIT 1 /* the frame shows nothing that could be a digit */
#define TINYDIGITS_SEVERAL 2  /* it shows more than one */
#define TINYDIGITS_BAD_SIZE 3 /* no pixels, more than 160x120, or a stride below the width */

typedef struct {
  const uint8_t *pixels;
  int width, height;
  intptr_t stride;
} tinydigits_frame;

/* The columns and rows from the first two to the last two, which lie beyond it. */
typedef struct {
  int left, top, right, bottom;
} tinydigits_box;

static uint16_t tinydigits_paper[15 * 20];  /* its contrast to black in blocks of 8x8 pixels */
static int16_t tinydigits_contrast[160];    /* of a row's pixels; that of ink is positive */
static int32_t tinydigits_numbers[20 * 20]; /* a histogram, sums, or the most of each row */

static uint32_t tinydigits_quotient(uint32_t number, uint32_t by) {
  uint32_t quotient = 0;
  int shift = 0;
  for (; by < number && !(by >> 31); by <<= 1) shift++;
  for (; shift >= 0; shift--, by >>= 1) {
    quotient <<= 1;
    if (number >= by) {
      number -= by;
      quotient |= 1;
    }
  }
  return quotient;
}

/* Divides by a positive number, towards zero. */
static int32_t tinydigits_divided(int32_t number, int32_t by) {
  if (number < 0) return -(int32_t)tinydigits_quotient((uint32_t)-number, (uint32_t)by);
  return (int32_t)tinydigits_quotient((uint32_t)number, (uint32_t)by);
}

static int tinydigits_least(int a, int b) { return a < b ? a : b; }

static int tinydigits_max(int a, int b) { return a > b ? a : b; }

/* Compilers would call memset for a loop that is not over volatile words. */
static void tinydigits_clear(volatile uint32_t *words, int count) {
  for (int i = 0; i < count; i++) words[i] = 0;
}

static void tinydigits_clear_numbers(void) {
  tinydigits_clear((uint32_t *)tinydigits_numbers, 20 * 20);
}

/* Returns the first level of the histogram, in steps from one end, with which `count` are met. */
static int tinydigits_level(int end, int step, int32_t count) {
  int level = end;
  while ((count -= tinydigits_numbers[level]) > 0) level += step;
  return level;
}

/* Returns the median brightness of a part of the frame. */
static int tinydigits_median(const tinydigits_frame *frame, tinydigits_box part) {
  tinydigits_clear_numbers();
  for (int y = part.top; y < part.bottom; y++) {
    const uint8_t *row = frame->pixels + y * frame->stride;
    for (int x = part.left; x < part.right; x++) tinydigits_numbers[row[x]]++;
  }
  return tinydigits_level(0, 1, (part.right - part.left) * (part.bottom - part.top) / 2 + 1);
}

/* Takes a plane through the medians of the frame's four sides for the paper. */
static void tinydigits_guess_paper(const tinydigits_frame *frame) {
  const int w = frame->width, h = frame->height, dx = (w + 15) / 16, dy = (h + 15) / 16;
  const tinydigits_box strips[4] = {
      {0, 0, dx, h}, {w - dx, 0, w, h}, {0, 0, w, dy}, {0, h - dy, w, h}};
  int side[4];
  for (int i = 0; i < 4; i++) side[i] = tinydigits_median(frame, strips[i]);
  for (int j = 0; 8 * j < h; j++)
    for (int i = 0; 8 * i < w; i++) {
      const int32_t across = (int32_t)(side[1] - side[0]) * (16 * i + 8 - w);
      const int32_t down = (int32_t)(side[3] - side[2]) * (16 * j + 8 - h);
      const int32_t level = 4 * (side[0] + side[1] + side[2] + side[3]) +
                            tinydigits_divided(8 * across, w) + tinydigits_divided(8 * down, h);
      tinydigits_paper[20 * j + i] = (uint16_t)(level < 0 ? 0 : level > 4080 ? 4080 : level);
    }
}

/* Computes a row's contrasts to the paper, whose level changes evenly from the middle of each block
   to that of the next. `sign` is 1 for ink that is darker than paper, -1 for lighter ink. */
static void tinydigits_look(const tinydigits_frame *frame, int y, int sign) {
  const int columns = (frame->width + 7) / 8, rows = (frame->height + 7) / 8;
  const int below = tinydigits_max(2 * y - 7, 0) & 15, j = tinydigits_max(2 * y - 7, 0) >> 4;
  const uint16_t *upper = tinydigits_paper + 20 * j;
  const uint16_t *lower = j + 1 < rows ? upper + 20 : upper;
  const uint8_t *row = frame->pixels + y * frame->stride;
  for (int i = 0, x = 0; i < columns; i++) {
    const int next = tinydigits_least(i + 1, columns - 1);
    const int end = next > i ? tinydigits_least(8 * i + 12, frame->width) : frame->width;
    const int32_t left = (int32_t)upper[i] * (16 - below) + (int32_t)lower[i] * below;
    const int32_t right = (int32_t)upper[next] * (16 - below) + (int32_t)lower[next] * below;
    int32_t paper = 16 * left;
    for (; x < end && x < 4; x++)
      tinydigits_contrast[x] = (int16_t)(sign * ((paper >> 8) - 16 * row[x]));
    for (paper += right - left; x < end; x++, paper += 2 * (right - left))
      tinydigits_contrast[x] = (int16_t)(sign * ((paper >> 8) - 16 * row[x]));
  }
}

/* Makes a histogram of the frame's contrasts, 32 a level; level 128 begins at 0. */
static void tinydigits_count_contrasts(const tinydigits_frame *frame, int sign) {
  tinydigits_clear_numbers();
  for (int y = 0; y < frame->height; y++) {
    tinydigits_look(frame, y, sign);
    for (int x = 0; x < frame->width; x++)
      tinydigits_numbers[(tinydigits_contrast[x] + 4096) >> 5]++;
  }
}

/* Returns a contrast of ink that few pixels exceed, from the histogram's upper or lower end. */
static int tinydigits_strongest(const tinydigits_frame *frame, int end) {
  const int pixels = frame->width * frame->height;
  const int few = tinydigits_least(8 + (pixels >> 11), pixels);
  const int level = tinydigits_level(end, end ? -1 : 1, few);
  return 32 * (end ? level - 128 : 127 - level);
}

/* A third of the strongest contrast is ink, in strokes as thin as a pixel too. */
static int tinydigits_faint(int strongest) { return (int)((int32_t)strongest * 45 >> 7); }

/* Returns the standard deviation of noise, from the mean of the contrasts that are no ink's. */
static int tinydigits_noise(int faint) {
  int32_t sum = 0, count = 1;
  const int reach = tinydigits_least(faint / 32 + 1, 128);
  for (int i = 128 - reach; i < 128 + reach; i++) {
    const int off = i < 128 ? 127 - i : i - 128; /* rounded down, in 32nds of a contrast */
    sum += (2 * off + 1) * tinydigits_numbers[i];
    count += tinydigits_numbers[i];
  }
  return (int)tinydigits_divided(20 * sum, count); /* 1.25 times the mean, if it is normal */
}

/* Returns the least contrast of ink, or 0 if there is none. Single grains of noise may be strong.
   Clouds in paper form shapes, but faint ones. */
static int tinydigits_threshold(int strongest) {
  const int faint = tinydigits_faint(strongest), noise = tinydigits_noise(faint);
  const int times = strongest < 16 * 32 ? 8 : 5;
  return strongest <= times * noise ? 0 : tinydigits_max(faint, 3 * noise);
}
