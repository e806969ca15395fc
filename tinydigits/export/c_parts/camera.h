/* From a camera's frame to the net's picture, in integers, as the package's Python code does it:
   paper is what is beside the ink, ink is what differs from it, the digit is the largest piece of
   ink with what lies close to it. Contrasts are in sixteenths of a grey level, places in 256ths of
   a pixel. Nothing is divided but by a function, and no product has 64 bits: a Cortex-M0 has
   neither. */
#define TINYDIGITS_NO_DIGIT 1 /* the frame is empty, or shows nothing like a digit */
#define TINYDIGITS_BAD_SIZE 2 /* the frame is empty, too large, or has a stride below its width */
#define TINYDIGITS_MOST_WIDTH 160
#define TINYDIGITS_MOST_HEIGHT 120

typedef struct {
  const uint8_t *pixels;
  int width, height;
  intptr_t stride;
} tinydigits_frame;

typedef struct {
  int left, top, right, bottom; /* the last two are beyond it */
} tinydigits_box;

/* A connected piece of ink. */
typedef struct {
  tinydigits_box box;
  int32_t area;
  int column, row; /* of its first pixel */
} tinydigits_piece;

/* Bit maps: a row is five words, its leftmost pixel the lowest bit of the first. */
static uint32_t tinydigits_ink[120 * 5];
static uint32_t tinydigits_part[120 * 5];
static uint16_t tinydigits_paper[15 * 20]; /* brightness of paper in blocks of 8x8 pixels */
static int16_t tinydigits_contrast[160];   /* of a row: positive where there is ink */
static uint32_t tinydigits_counts[20 * 20]; /* a histogram of contrasts, later sums of ink */
static uint8_t tinydigits_across[160];     /* largest ink of each column ... */
static uint8_t tinydigits_down[120];       /* ... and of each row */
static tinydigits_piece tinydigits_pieces[12];

static uint32_t tinydigits_divided(uint32_t number, uint32_t by) {
  uint32_t quotient = 0;
  int shift = 0;
  while (by < number && !(by >> 31)) by <<= 1, shift++;
  for (; shift >= 0; shift--, by >>= 1) {
    quotient <<= 1;
    if (number >= by) number -= by, quotient |= 1;
  }
  return quotient;
}

static int32_t tinydigits_ratio(int32_t number, int32_t by) {
  const uint32_t quotient =
      tinydigits_divided((uint32_t)(number < 0 ? -number : number), (uint32_t)by);
  return number < 0 ? -(int32_t)quotient : (int32_t)quotient;
}

static int tinydigits_min(int a, int b) { return a < b ? a : b; }
static int tinydigits_max(int a, int b) { return a > b ? a : b; }

static int tinydigits_bit(const uint32_t *row, int x) { return row[x >> 5] >> (x & 31) & 1; }

static int tinydigits_bits(uint32_t word) {
  int count = 0;
  for (; word; word &= word - 1) count++;
  return count;
}

/* ---- light ---- */

/* Counts the brightness of a strip of the frame and returns its median. */
static int tinydigits_median(const tinydigits_frame *frame, tinydigits_box box) {
  int32_t half = (int32_t)(box.right - box.left) * (box.bottom - box.top) / 2;
  int level = 0;
  for (int i = 0; i < 256; i++) tinydigits_counts[i] = 0;
  for (int y = box.top; y < box.bottom; y++)
    for (int x = box.left; x < box.right; x++)
      tinydigits_counts[frame->pixels[y * frame->stride + x]]++;
  while (half >= (int32_t)tinydigits_counts[level]) half -= (int32_t)tinydigits_counts[level++];
  return level;
}

/* Takes the paper for a plane through the medians of the frame's four sides. */
static void tinydigits_level(const tinydigits_frame *frame) {
  const int w = frame->width, h = frame->height, dx = (w + 15) / 16, dy = (h + 15) / 16;
  const tinydigits_box sides[4] = {
      {0, 0, dx, h}, {w - dx, 0, w, h}, {0, 0, w, dy}, {0, h - dy, w, h}};
  int level[4];
  for (int i = 0; i < 4; i++) level[i] = tinydigits_median(frame, sides[i]);
  const int32_t across = 16 * (level[1] - level[0]), down = 16 * (level[3] - level[2]);
  const int32_t middle = 4 * (level[0] + level[1] + level[2] + level[3]);
  for (int j = 0; 8 * j < h; j++)
    for (int i = 0; 8 * i < w; i++) {
      int32_t value = middle + tinydigits_ratio(across * (16 * i + 8 - w), 2 * w) +
                      tinydigits_ratio(down * (16 * j + 8 - h), 2 * h);
      value = value < 0 ? 0 : value > 4080 ? 4080 : value;
      tinydigits_paper[20 * j + i] = (uint16_t)value;
    }
}

/* Computes a row's contrasts from the paper's brightness between the middles of blocks. */
static void tinydigits_look(const tinydigits_frame *frame, int y, int sign) {
  const int columns = (frame->width + 7) / 8, rows = (frame->height + 7) / 8;
  const int v = tinydigits_max(2 * y - 7, 0), above = v >> 4, part = v & 15;
  const uint16_t *high = tinydigits_paper + 20 * above;
  const uint16_t *low = above + 1 < rows ? high + 20 : high;
  const uint8_t *pixel = frame->pixels + y * frame->stride;
  for (int i = 0, x = 0; i < columns; i++) {
    const int k = tinydigits_min(i + 1, columns - 1), end = tinydigits_min(8 * i + 12, frame->width);
    const int32_t p = (int32_t)high[i] * (16 - part) + (int32_t)low[i] * part;
    const int32_t q = (int32_t)high[k] * (16 - part) + (int32_t)low[k] * part;
    for (; x < end; x++) {
      const int u = tinydigits_max(2 * x - 7 - 16 * i, 0);
      const int32_t paper = (p * (16 - u) + q * u) >> 8;
      tinydigits_contrast[x] = (int16_t)(sign * (paper - 16 * pixel[x]));
    }
  }
}

/* Counts the contrasts of the whole frame, 32 in each of 256 bins. Bin 128 begins at 0. */
static void tinydigits_count(const tinydigits_frame *frame, int sign) {
  for (int i = 0; i < 256; i++) tinydigits_counts[i] = 0;
  for (int y = 0; y < frame->height; y++) {
    tinydigits_look(frame, y, sign);
    for (int x = 0; x < frame->width; x++)
      tinydigits_counts[(tinydigits_contrast[x] + 4096) >> 5]++;
  }
}

/* Returns the first bin, from one end of the histogram, at which `count` pixels are counted. */
static int tinydigits_quantile(int bin, int step, int32_t count) {
  while ((count -= (int32_t)tinydigits_counts[bin]) > 0) bin += step;
  return bin;
}

/* Returns the contrast from which a pixel is ink, 0 if there is none. */
static int tinydigits_threshold(int full) {
  int32_t sum = 0, count = 1;
  const int least = TD_LOW * full / 128, reach = least / 32 + 1;
  for (int i = tinydigits_max(128 - reach, 0); i < tinydigits_min(128 + reach, 256); i++) {
    const int c = 32 * (i - 128) + 16;
    sum += (c < 0 ? -c : c) / 4 * (int32_t)tinydigits_counts[i];
    count += (int32_t)tinydigits_counts[i];
  }
  const int noise = 5 * (int)tinydigits_ratio(sum, count); /* a normal one's standard deviation */
  if (full < TD_CONTRAST * 16 || TD_SNR * noise > full * 4) return 0;
  return tinydigits_max(least, TD_NOISE * noise / 4);
}

/* ---- maps of bits ---- */

/* Adds the neighbours to the left and to the right. */
static void tinydigits_widen(uint32_t row[5]) {
  uint32_t before = 0;
  for (int i = 0; i < 5; i++) {
    const uint32_t word = row[i], after = i < 4 ? row[i + 1] << 31 : 0;
    row[i] = word | word << 1 | word >> 1 | before >> 31 | after;
    before = word;
  }
}

/* Computes a row of a map in which every pixel has become a disk; 16ths of a pixel. */
static void tinydigits_grow(const uint32_t *map, int height, int y, int radius, uint32_t row[5]) {
  const int most = radius >> 4;
  const int32_t square = (int32_t)radius * radius;
  for (int i = 0; i < 5; i++) row[i] = 0;
  for (int dx = most; dx >= 0; dx--) {
    if (dx < most) tinydigits_widen(row);
    for (int dy = -most; dy <= most; dy++) {
      const int32_t inside = 256 * (int32_t)(dx * dx + dy * dy);
      if (inside > square || inside + 256 * (2 * dx + 1) <= square) continue;
      if (y + dy < 0 || y + dy >= height) continue;
      for (int i = 0; i < 5; i++) row[i] |= map[5 * (y + dy) + i];
    }
  }
}

/* Marks the pixels of a row whose contrast is above a threshold. */
static void tinydigits_mark(int width, int threshold, uint32_t row[5]) {
  for (int i = 0; i < 5; i++) row[i] = 0;
  for (int x = 0; x < width; x++)
    if (tinydigits_contrast[x] > threshold) row[x >> 5] |= (uint32_t)1 << (x & 31);
}

static void tinydigits_mark_all(const tinydigits_frame *frame, int sign, int threshold) {
  for (int y = 0; y < frame->height; y++) {
    tinydigits_look(frame, y, sign);
    tinydigits_mark(frame->width, threshold, tinydigits_ink + 5 * y);
  }
}

/* Measures the paper beside the ink. Returns 0 if there is none. */
static int tinydigits_measure(const tinydigits_frame *frame) {
  const int columns = (frame->width + 7) / 8, rows = (frame->height + 7) / 8;
  int unknown = 0, known = 0;
  for (int j = 0; j < rows; j++) {
    uint16_t sum[20], count[20];
    for (int i = 0; i < columns; i++) sum[i] = count[i] = 0;
    for (int y = 8 * j; y < tinydigits_min(8 * j + 8, frame->height); y++) {
      uint32_t ink[5];
      tinydigits_grow(tinydigits_ink, frame->height, y, 32, ink);
      for (int x = 0; x < frame->width; x++)
        if (!tinydigits_bit(ink, x)) {
          sum[x >> 3] = (uint16_t)(sum[x >> 3] + frame->pixels[y * frame->stride + x]);
          count[x >> 3]++;
        }
    }
    for (int i = 0; i < columns; i++) {
      const int enough = count[i] >= 6;
      tinydigits_paper[20 * j + i] =
          enough ? (uint16_t)tinydigits_ratio(16 * (int32_t)sum[i], count[i]) : 0xFFFF;
      known += enough;
      unknown += !enough;
    }
  }
  if (!known) return 0;
  /* Paper under the ink is like the paper around: new values have their highest bit set. */
  while (unknown) {
    for (int j = 0; j < rows; j++)
      for (int i = 0; i < columns; i++) {
        int32_t sum = 0, count = 0;
        if (tinydigits_paper[20 * j + i] != 0xFFFF) continue;
        for (int v = tinydigits_max(j - 1, 0); v <= tinydigits_min(j + 1, rows - 1); v++)
          for (int u = tinydigits_max(i - 1, 0); u <= tinydigits_min(i + 1, columns - 1); u++)
            if (tinydigits_paper[20 * v + u] < 0x8000) sum += tinydigits_paper[20 * v + u], count++;
        if (!count) continue;
        tinydigits_paper[20 * j + i] = (uint16_t)(0x8000 | tinydigits_ratio(sum, count));
        unknown--;
      }
    for (int i = 0; i < 300; i++)
      if (tinydigits_paper[i] != 0xFFFF) tinydigits_paper[i] &= 0x7FFF;
  }
  return 1;
}

/* ---- pieces of ink ---- */

/* Returns the seeds with the rest of their runs in the mask. */
static uint32_t tinydigits_run(uint32_t seeds, uint32_t mask) {
  seeds |= ((mask + seeds) ^ mask) & mask; /* the carry runs to the upper end */
  for (int i = 1; i < 32; i *= 2) {
    seeds |= mask & seeds >> i;
    mask &= mask >> i;
  }
  return seeds;
}

/* Spreads a part's pixels to a row from a neighbouring one. Returns whether there are more. */
static int tinydigits_spread(const uint32_t *from, const uint32_t *ink, uint32_t *row) {
  uint32_t near[5], changed = 0;
  for (int i = 0; i < 5; i++) near[i] = from[i];
  tinydigits_widen(near);
  for (int i = 0; i < 5; i++) {
    near[i] = (near[i] & ink[i]) | row[i];
    if (i) near[i] |= near[i - 1] >> 31 & ink[i];
    if (near[i]) near[i] = tinydigits_run(near[i], ink[i]);
  }
  for (int i = 4; i >= 0; i--) {
    if (i < 4 && near[i + 1] & 1 && ink[i] >> 31) near[i] = tinydigits_run(near[i] | 1u << 31, ink[i]);
    changed |= near[i] ^ row[i];
    row[i] = near[i];
  }
  return changed != 0;
}

/* Spreads the part over the ink that it is connected with, in the rows of the frame. */
static void tinydigits_connect(int height, int top, int *bottom) {
  const uint32_t none[5] = {0, 0, 0, 0, 0};
  int changed = 1, last = *bottom;
  while (changed) {
    changed = 0;
    for (int y = top; y < height; y++) {
      const int more = tinydigits_spread(y > top ? tinydigits_part + 5 * (y - 1) : none,
                                         tinydigits_ink + 5 * y, tinydigits_part + 5 * y);
      changed |= more;
      if (more) last = tinydigits_max(last, y + 1);
      if (!more && y >= last) break;
    }
    for (int y = last - 2; y >= top; y--)
      changed |= tinydigits_spread(tinydigits_part + 5 * (y + 1), tinydigits_ink + 5 * y,
                                   tinydigits_part + 5 * y);
  }
  *bottom = last;
}

/* Takes the piece that begins at a pixel of the row `top` out of the ink. */
static tinydigits_piece tinydigits_take(const tinydigits_frame *frame, int x, int top) {
  tinydigits_piece piece = {{0, top, 160, top + 1}, 0, x, top};
  uint32_t all[5] = {0, 0, 0, 0, 0};
  tinydigits_part[5 * top + (x >> 5)] = (uint32_t)1 << (x & 31);
  tinydigits_connect(frame->height, top, &piece.box.bottom);
  for (int i = 5 * top; i < 5 * piece.box.bottom; i++) {
    all[i % 5] |= tinydigits_part[i];
    piece.area += tinydigits_bits(tinydigits_part[i]);
    tinydigits_ink[i] ^= tinydigits_part[i];
    tinydigits_part[i] = 0;
  }
  while (!tinydigits_bit(all, piece.box.left)) piece.box.left++;
  while (!tinydigits_bit(all, piece.box.right - 1)) piece.box.right--;
  return piece;
}

/* Sorts a piece in among the largest, of which there are `count`. Returns how many there are now. */
static int tinydigits_rank(tinydigits_piece piece, int count) {
  int place = count;
  for (; place > 0 && tinydigits_pieces[place - 1].area < piece.area; place--)
    if (place < 12) tinydigits_pieces[place] = tinydigits_pieces[place - 1];
  if (place < 12) tinydigits_pieces[place] = piece;
  return tinydigits_min(count + 1, 12);
}

static int tinydigits_size(tinydigits_box box) {
  return tinydigits_max(box.right - box.left, box.bottom - box.top);
}

static tinydigits_box tinydigits_union(tinydigits_box a, tinydigits_box b) {
  a.left = tinydigits_min(a.left, b.left);
  a.top = tinydigits_min(a.top, b.top);
  a.right = tinydigits_max(a.right, b.right);
  a.bottom = tinydigits_max(a.bottom, b.bottom);
  return a;
}

/* Returns the gap between two boxes. */
static int tinydigits_gap(tinydigits_box a, tinydigits_box b) {
  const int across = tinydigits_max(a.left, b.left) - tinydigits_min(a.right, b.right);
  const int down = tinydigits_max(a.top, b.top) - tinydigits_min(a.bottom, b.bottom);
  return tinydigits_max(tinydigits_max(across, down), 0);
}

/* Makes the digit the part. Returns its box; an empty one if there is none. */
static tinydigits_box tinydigits_find(const tinydigits_frame *frame, int sign, int threshold) {
  tinydigits_box digit = {0, 0, 0, 0};
  int count = 0, bottom, edge = 0;
  for (int i = 0; i < 600; i++) tinydigits_part[i] = 0;
  tinydigits_mark_all(frame, sign, threshold);
  for (int y = 0; y < frame->height; y++)
    for (int x = 0; x < frame->width; x++)
      if (tinydigits_bit(tinydigits_ink + 5 * y, x))
        count = tinydigits_rank(tinydigits_take(frame, x, y), count);
  if (!count) return digit;
  digit = tinydigits_pieces[0].box;
  const int size = tinydigits_size(digit);
  if (size < 6 || 50 * size < tinydigits_max(frame->width, frame->height)) digit.right = digit.left;
  if (digit.right == digit.left) return digit;
  tinydigits_mark_all(frame, sign, threshold);
  for (int i = 0; i < count; i++) {
    const tinydigits_piece piece = tinydigits_pieces[i];
    if (16 * piece.area < TD_SHARE * tinydigits_pieces[0].area / 16) continue;
    if (16 * tinydigits_gap(piece.box, digit) > TD_GAP * size) continue;
    digit = tinydigits_union(digit, piece.box);
    tinydigits_part[5 * piece.row + (piece.column >> 5)] |= (uint32_t)1 << (piece.column & 31);
  }
  bottom = digit.bottom;
  tinydigits_connect(frame->height, digit.top, &bottom);
  for (int y = 0; y < frame->height; y++) {
    const uint32_t *row = tinydigits_part + 5 * y;
    edge += tinydigits_bit(row, 0) + tinydigits_bit(row, frame->width - 1);
    if (y == 0 || y == frame->height - 1)
      for (int i = 0; i < 5; i++) edge += tinydigits_bits(row[i]);
  }
  if (4 * edge > frame->width + frame->height) digit.right = digit.left;
  return digit;
}

/* ---- the digit ---- */

typedef struct {
  tinydigits_box box;
  int sign;
  int32_t strength; /* a contrast's ink is its product with this, shifted right by 12 bits */
  int fringe;       /* 16ths of a pixel around the part in which ink may be */
  int core;         /* contrast of strong ink */
  int more;         /* 16ths of a pixel by which strokes are thickened */
} tinydigits_digit;

static uint8_t tinydigits_values[160]; /* a row's ink */

/* Sets how strong ink is by the contrast that a fifth of the part exceeds. */
static void tinydigits_weigh(const tinydigits_frame *frame, tinydigits_digit *digit) {
  int32_t area = 0;
  for (int i = 0; i < 256; i++) tinydigits_counts[i] = 0;
  for (int y = digit->box.top; y < digit->box.bottom; y++) {
    tinydigits_look(frame, y, digit->sign);
    for (int x = digit->box.left; x < digit->box.right; x++)
      if (tinydigits_bit(tinydigits_part + 5 * y, x))
        tinydigits_counts[tinydigits_contrast[x] >> 4]++, area++;
  }
  const int full = 16 * tinydigits_quantile(255, -1, area / 5 + 1) + 8;
  digit->strength = tinydigits_ratio((int32_t)255 << 12, full);
  digit->core = full * TD_CORE / 128;
}

/* Marks strong ink near the part. */
static void tinydigits_strong(const tinydigits_frame *frame, const tinydigits_digit *digit) {
  for (int y = 0; y < frame->height; y++) {
    uint32_t near[5], *row = tinydigits_ink + 5 * y;
    tinydigits_grow(tinydigits_part, frame->height, y, digit->fringe, near);
    tinydigits_look(frame, y, digit->sign);
    tinydigits_mark(frame->width, digit->core, row);
    for (int i = 0; i < 5; i++) row[i] &= near[i];
  }
}

/* Takes away the outermost pixels of strong ink. Returns how many are left. */
static int32_t tinydigits_erode(int height, int diagonal) {
  uint32_t above[5] = {0, 0, 0, 0, 0};
  int32_t left = 0;
  for (int y = 0; y < height; y++) {
    uint32_t gone[5], *row = tinydigits_ink + 5 * y, vertical[5];
    for (int i = 0; i < 5; i++) {
      vertical[i] = ~above[i] | (y + 1 < height ? ~row[5 + i] : ~(uint32_t)0);
      gone[i] = ~row[i] | (diagonal ? vertical[i] : 0);
      above[i] = row[i];
    }
    tinydigits_widen(gone);
    if (!(gone[0] & 1)) gone[0] |= 1;
    gone[4] |= (uint32_t)1 << 31;
    for (int i = 0; i < 5; i++) {
      row[i] &= ~(gone[i] | vertical[i]);
      left += tinydigits_bits(row[i]);
    }
  }
  return left;
}

/* Returns the longer side of strong ink in pixels. */
static tinydigits_box tinydigits_extent(const uint32_t *map, int height) {
  tinydigits_box box = {0, height, 160, 0};
  uint32_t all[5] = {0, 0, 0, 0, 0};
  for (int y = 0; y < height; y++)
    for (int i = 0; i < 5; i++)
      if (map[5 * y + i]) {
        all[i] |= map[5 * y + i];
        box.top = tinydigits_min(box.top, y);
        box.bottom = y + 1;
      }
  while (!tinydigits_bit(all, box.left)) box.left++;
  while (!tinydigits_bit(all, box.right - 1)) box.right--;
  return box;
}

/* Sets by how much strokes are thickened. Their width is four times the mean depth of strong ink,
   as in a long ribbon; less than 1.6 pixels of the result becomes 2.2. */
static void tinydigits_thicken(const tinydigits_frame *frame, tinydigits_digit *digit) {
  const int size = tinydigits_size(tinydigits_extent(tinydigits_ink, frame->height));
  int32_t area = 0, sum, left;
  for (int i = 0; i < 600; i++) area += tinydigits_bits(tinydigits_ink[i]);
  sum = area;
  for (int round = 0; (left = tinydigits_erode(frame->height, round % TD_DIAG == 1)) != 0; round++) sum += left;
  /* 16ths of a pixel */
  const int width = tinydigits_max(16, (int)tinydigits_ratio(64 * sum, area) - 32);
  digit->more = 0;
  if (20 * width < TD_THIN * size) digit->more = (int)tinydigits_ratio(TD_THICK * size - 20 * width, 40);
  tinydigits_strong(frame, digit);
}

/* Computes a row's ink, 0 to 255. */
static void tinydigits_write(const tinydigits_frame *frame, const tinydigits_digit *digit, int y) {
  uint32_t row[5];
  tinydigits_look(frame, y, digit->sign);
  tinydigits_grow(tinydigits_part, frame->height, y, digit->fringe, row);
  for (int x = 0; x < frame->width; x++) {
    int32_t ink = 0;
    if (tinydigits_bit(row, x) && tinydigits_contrast[x] > 0)
      ink = tinydigits_contrast[x] * digit->strength >> 12;
    tinydigits_values[x] = (uint8_t)(ink < 20 ? 0 : ink > 255 ? 255 : ink);
  }
  if (!digit->more) return;
  for (int k = 0; k < 4; k++) {
    tinydigits_grow(tinydigits_ink, frame->height, y, digit->more + 2 + 4 * k, row);
    const int ink = 255 - 64 * k;
    for (int x = 0; x < frame->width; x++)
      if (tinydigits_bit(row, x) && tinydigits_values[x] < ink) tinydigits_values[x] = (uint8_t)ink;
  }
}

/* Returns where the ink of a profile begins, from its first pixel in steps of 1, or from its last
   in steps of -1: the first place with half as much as half a pixel of the result further in. */
static int tinydigits_begin(const uint8_t *profile, int count, int step, int inside) {
  int before = 0;
  for (int n = 0; n < count; n++) {
    const uint8_t *at = profile + (step > 0 ? n : count - 1 - n);
    const int far = n + (inside >> 8) + 1;
    const int one = far - 1 < count ? at[step * (inside >> 8)] : 0;
    const int two = far < count ? at[step * ((inside >> 8) + 1)] : 0;
    const int inner = one * (256 - (inside & 255)) + two * (inside & 255);
    int share = 256;
    if (256 * *at < inner) share = (int)tinydigits_divided((uint32_t)*at << 16, (uint32_t)inner);
    else if (!*at) share = 0;
    if (share >= 128)
      return 256 * n + 128 - (int)tinydigits_ratio(256 * (int32_t)(share - 128), share - before);
    before = share;
  }
  return 0;
}

/* Lanczos' window of three lobes, 16 steps each. */
static TINYDIGITS_CONST int8_t tinydigits_lanczos[49] = {@lanczos@};

/* How pixels between two places become `count`. */
typedef struct {
  int32_t first, pitch; /* 256ths of a pixel: the middle of the first, and from one to the next */
  int32_t reach;        /* 256ths of a pixel */
  int32_t scale;        /* from there to the window */
  int count;
} tinydigits_scale;

static tinydigits_scale tinydigits_scaled(int32_t low, int32_t high, int count) {
  tinydigits_scale scale;
  const int32_t pitch = tinydigits_ratio(high - low, count), broad = pitch < 256 ? 256 : pitch;
  scale.first = low + pitch / 2;
  scale.pitch = pitch;
  scale.reach = 3 * broad;
  scale.scale = tinydigits_ratio((int32_t)16 << 16, broad);
  scale.count = count;
  return scale;
}

static int tinydigits_weight(const tinydigits_scale *scale, int32_t off) {
  if (off < 0) off = -off;
  return off >= scale->reach ? 0 : tinydigits_lanczos[(off * scale->scale + 32768) >> 16];
}

/* Adds a row's ink to the sums of 20x20 pixels. */
static void tinydigits_add(const tinydigits_frame *frame, int y, const tinydigits_scale *across, const tinydigits_scale *down) {
  int32_t *sums = (int32_t *)tinydigits_counts;
  int32_t row[20];
  for (int i = 0; i < across->count; i++) {
    const int32_t middle = across->first + i * across->pitch;
    const int begin = (int)(middle - across->reach < 0 ? 0 : (middle - across->reach) >> 8);
    const int end = tinydigits_min((int)((middle + across->reach) >> 8) + 1, frame->width);
    row[i] = 0;
    for (int x = begin; x < end; x++)
      if (tinydigits_values[x]) row[i] += tinydigits_values[x] * tinydigits_weight(across, 256 * (int32_t)x + 128 - middle);
  }
  for (int o = 0; o < down->count; o++) {
    const int weight = tinydigits_weight(down, 256 * (int32_t)y + 128 - (down->first + o * down->pitch));
    if (weight) for (int i = 0; i < across->count; i++) sums[20 * o + i] += row[i] * weight;
  }
}

/* Writes the digit in MNIST's frame. */
static void tinydigits_fit(const tinydigits_frame *frame, const tinydigits_digit *digit, uint8_t out[784]) {
  const int w = frame->width, h = frame->height;
  int left = w, right = 0, top = h, bottom = 0;
  for (int x = 0; x < w; x++) tinydigits_across[x] = 0;
  for (int y = 0; y < h; y++) {
    tinydigits_write(frame, digit, y);
    tinydigits_down[y] = 0;
    for (int x = 0; x < w; x++) {
      const uint8_t ink = tinydigits_values[x];
      if (ink > tinydigits_across[x]) tinydigits_across[x] = ink;
      if (ink > tinydigits_down[y]) tinydigits_down[y] = ink;
    }
    if (tinydigits_down[y]) top = tinydigits_min(top, y), bottom = y + 1;
  }
  for (int x = 0; x < w; x++)
    if (tinydigits_across[x]) left = tinydigits_min(left, x), right = x + 1;
  const int pixel = (int)tinydigits_ratio(256 * (int32_t)tinydigits_max(right - left, bottom - top), 20);
  const int inside = tinydigits_max(pixel / 2 - 128, 0);
  const int32_t x0 = tinydigits_begin(tinydigits_across, w, 1, inside);
  const int32_t x1 = 256 * (int32_t)w - tinydigits_begin(tinydigits_across, w, -1, inside);
  const int32_t y0 = tinydigits_begin(tinydigits_down, h, 1, inside);
  const int32_t y1 = 256 * (int32_t)h - tinydigits_begin(tinydigits_down, h, -1, inside);
  const int32_t longer = x1 - x0 > y1 - y0 ? x1 - x0 : y1 - y0;
  const int columns = tinydigits_max(1, (int)tinydigits_ratio(20 * (x1 - x0) + longer / 2, longer));
  const int rows = tinydigits_max(1, (int)tinydigits_ratio(20 * (y1 - y0) + longer / 2, longer));
  const tinydigits_scale across = tinydigits_scaled(x0, x1, columns);
  const tinydigits_scale down = tinydigits_scaled(y0, y1, rows);
  int32_t *sums = (int32_t *)tinydigits_counts;
  for (int i = 0; i < 400; i++) sums[i] = 0;
  for (int y = 0; y < h; y++) {
    tinydigits_write(frame, digit, y);
    tinydigits_add(frame, y, &across, &down);
  }
  /* White, of which there is at most so much. */
  int32_t most = 1;
  const int32_t one = 127 * (across.reach / 3) / 256 * (127 * (down.reach / 3) / 256) * 255;
  for (int i = 0; i < 400; i++) most = sums[i] > most ? sums[i] : most;
  if (most > one) most = one;
  const int32_t unit = most / 256 + 1;
  int32_t mass = 0, along = 0, below = 0;
  for (int i = 0; i < 400; i++) {
    int32_t ink = sums[i] <= 0 ? 0 : tinydigits_ratio(sums[i], unit);
    sums[i] = ink = ink > 255 ? 255 : ink;
    mass += ink;
    along += ink * (i % 20);
    below += ink * (i / 20);
  }
  const int dx = tinydigits_min(tinydigits_max((int)(14 - tinydigits_ratio(2 * along + mass, 2 * mass)), 0), 8);
  const int dy = tinydigits_min(tinydigits_max((int)(14 - tinydigits_ratio(2 * below + mass, 2 * mass)), 0), 8);
  for (int i = 0; i < 784; i++) out[i] = 0;
  for (int v = 0; v < 20; v++)
    for (int u = 0; u < 20; u++) out[28 * (v + dy) + u + dx] = (uint8_t)sums[20 * v + u];
}

static int tinydigits_from_grey(const uint8_t *pixels, int width, int height, int stride, uint8_t out[784]) {
  const tinydigits_frame frame = {pixels, width, height, stride};
  tinydigits_digit digit;
  if (!pixels || !out || width < 1 || width > 160 || height < 1 || height > 120 || stride < width)
    return TINYDIGITS_BAD_SIZE;
  const int32_t most = 8 + ((int32_t)width * height >> 11);
  int full, threshold;
  if (width * height < 36) return TINYDIGITS_NO_DIGIT;
  tinydigits_level(&frame);
  tinydigits_count(&frame, 1);
  const int dark = 32 * (tinydigits_quantile(255, -1, most) - 128);
  const int light = 32 * (127 - tinydigits_quantile(0, 1, most));
  digit.sign = dark >= light ? 1 : -1;
  full = tinydigits_max(dark, light);
  for (int round = 0; round < TD_ROUNDS; round++) {
    threshold = TD_LOW * full / 128;
    tinydigits_mark_all(&frame, digit.sign, threshold);
    if (!tinydigits_measure(&frame)) return TINYDIGITS_NO_DIGIT;
    tinydigits_count(&frame, digit.sign);
    full = 32 * (tinydigits_quantile(255, -1, most) - 128);
  }
  threshold = tinydigits_threshold(full);
  if (!threshold) return TINYDIGITS_NO_DIGIT;
  digit.box = tinydigits_find(&frame, digit.sign, threshold);
  if (digit.box.left == digit.box.right) return TINYDIGITS_NO_DIGIT;
  digit.fringe = 16 + tinydigits_size(digit.box) / TD_FRINGE;
  tinydigits_weigh(&frame, &digit);
  tinydigits_strong(&frame, &digit);
  tinydigits_thicken(&frame, &digit);
  tinydigits_fit(&frame, &digit, out);
  return 0;
}
