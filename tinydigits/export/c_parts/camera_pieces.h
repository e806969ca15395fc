/* Maps have a bit for each pixel, five words a row; the leftmost pixel is the first word's lowest
   bit. */
static uint32_t tinydigits_ink[120 * 5];
static uint32_t tinydigits_part[120 * 5]; /* of the ink: one piece, in the end the digit */

/* A piece of ink, connected also across corners. */
typedef struct {
  uint8_t left, top, right, bottom; /* its box */
  int32_t area;
  uint8_t column; /* of its first pixel, in row `top` */
} tinydigits_piece;

static int tinydigits_bit(const uint32_t *row, int x) { return (int)(row[x >> 5] >> (x & 31) & 1); }

static void tinydigits_set(uint32_t *row, int x) { row[x >> 5] |= (uint32_t)1 << (x & 31); }

static int tinydigits_ones(uint32_t word) {
  int count = 0;
  for (; word; word &= word - 1) count++;
  return count;
}

/* Returns the number of pixels in rows of a map. */
static int tinydigits_area(const uint32_t *map, int top, int bottom) {
  int area = 0;
  for (int i = 5 * top; i < 5 * bottom; i++) area += tinydigits_ones(map[i]);
  return area;
}

/* Returns the box of the pixels in rows of a map. There must be one. */
static tinydigits_box tinydigits_bounds(const uint32_t *map, int top, int bottom) {
  tinydigits_box box = {0, bottom, 160, top};
  uint32_t all[5];
  tinydigits_clear(all, 5);
  for (int y = top; y < bottom; y++)
    for (int i = 0; i < 5; i++) {
      if (!map[5 * y + i]) continue;
      all[i] |= map[5 * y + i];
      box.top = tinydigits_least(box.top, y);
      box.bottom = y + 1;
    }
  while (!tinydigits_bit(all, box.left)) box.left++;
  while (!tinydigits_bit(all, box.right - 1)) box.right--;
  return box;
}

static int tinydigits_size(tinydigits_box box) {
  return tinydigits_max(box.right - box.left, box.bottom - box.top);
}

/* Adds the neighbours on the left and on the right to a row. */
static void tinydigits_enlarge(uint32_t row[5]) {
  uint32_t before = 0;
  for (int i = 0; i < 5; i++) {
    const uint32_t word = row[i], after = i < 4 ? row[i + 1] << 31 : 0;
    row[i] = word | word << 1 | word >> 1 | before >> 31 | after;
    before = word;
  }
}

/* Computes a row of a map whose pixels have become disks. The radius is in 16ths of a pixel. */
static void tinydigits_grow(const uint32_t *map, int height, int y, int radius, uint32_t row[5]) {
  const int most = radius >> 4;
  const int32_t square = ((int32_t)radius * radius) >> 8;
  tinydigits_clear(row, 5);
  for (int dx = most; dx >= 0; dx--) {
    if (dx < most) tinydigits_enlarge(row); /* rows with a larger dx, for the next time */
    for (int dy = tinydigits_max(-most, -y); dy <= most && y + dy < height; dy++) {
      const int32_t rest = square - dy * dy;
      if (dx * dx > rest || (dx + 1) * (dx + 1) <= rest) continue; /* dx is half of the chord */
      for (int i = 0; i < 5; i++) row[i] |= map[5 * (y + dy) + i];
    }
  }
}

/* Marks the pixels of a row, as it was last looked at, above a contrast. */
static void tinydigits_mark_row(int width, int threshold, uint32_t row[5]) {
  for (int i = 0; i < 5; i++) {
    const int end = tinydigits_least(32 * i + 32, width);
    uint32_t word = 0, bit = 1;
    for (int x = 32 * i; x < end; x++, bit <<= 1)
      if (tinydigits_contrast[x] > threshold) word |= bit;
    row[i] = word;
  }
}

static void tinydigits_mark(const tinydigits_frame *frame, int sign, int threshold) {
  for (int y = 0; y < frame->height; y++) {
    tinydigits_look(frame, y, sign);
    tinydigits_mark_row(frame->width, threshold, tinydigits_ink + 5 * y);
  }
}

#define TINYDIGITS_UNKNOWN 0x9000
#define TINYDIGITS_NEW 0x8000 /* marks paper that became known in this round */

/* Measures a row of blocks of paper where there is no ink nearby. Returns how many are known. */
static int tinydigits_measure_row(const tinydigits_frame *frame, int j) {
  const int columns = (frame->width + 7) / 8, end = tinydigits_least(8 * j + 8, frame->height);
  int32_t *sum = tinydigits_numbers, *count = sum + 20;
  int known = 0;
  tinydigits_clear_numbers();
  for (int y = 8 * j; y < end; y++) {
    const uint8_t *row = frame->pixels + y * frame->stride;
    uint32_t ink[5];
    tinydigits_grow(tinydigits_ink, frame->height, y, 2 * 16, ink);
    for (int x = 0; x < frame->width; x++) {
      if (tinydigits_bit(ink, x)) continue;
      sum[x >> 3] += row[x];
      count[x >> 3]++;
    }
  }
  for (int i = 0; i < columns; i++) {
    uint16_t *paper = &tinydigits_paper[20 * j + i];
    *paper = TINYDIGITS_UNKNOWN;
    if (count[i] < 6) continue;
    *paper = (uint16_t)tinydigits_divided(16 * sum[i], count[i]);
    known++;
  }
  return known;
}

/* Gives a block of unknown paper the mean of its known neighbours. Returns whether there is one. */
static int tinydigits_fill(int i, int j, int columns, int rows) {
  uint16_t *paper = &tinydigits_paper[20 * j + i];
  int32_t sum = 0, count = 0;
  if (*paper != TINYDIGITS_UNKNOWN) return 0;
  for (int v = tinydigits_max(j - 1, 0); v <= j + 1 && v < rows; v++)
    for (int u = tinydigits_max(i - 1, 0); u <= i + 1 && u < columns; u++) {
      if (tinydigits_paper[20 * v + u] >= TINYDIGITS_NEW) continue;
      sum += tinydigits_paper[20 * v + u];
      count++;
    }
  if (!count) return 0;
  *paper = (uint16_t)(TINYDIGITS_NEW | tinydigits_divided(sum, count));
  return 1;
}

/* Measures the paper beside the ink. Returns 0 if there is none. */
static int tinydigits_measure_paper(const tinydigits_frame *frame) {
  const int columns = (frame->width + 7) / 8, rows = (frame->height + 7) / 8;
  int known = 0;
  for (int j = 0; j < rows; j++) known += tinydigits_measure_row(frame, j);
  if (!known) return 0;
  while (known < columns * rows) {
    for (int j = 0; j < rows; j++)
      for (int i = 0; i < columns; i++) known += tinydigits_fill(i, j, columns, rows);
    for (int i = 0; i < 15 * 20; i++)
      if (tinydigits_paper[i] != TINYDIGITS_UNKNOWN) tinydigits_paper[i] &= TINYDIGITS_NEW - 1;
  }
  return 1;
}

/* Returns seeds with the rest of the runs of ink that they are in. */
static uint32_t tinydigits_run(uint32_t seeds, uint32_t ink) {
  seeds |= ((ink + seeds) ^ ink) & ink; /* the carry goes to the upper end of a run */
  for (int i = 1; i < 32; i *= 2) {
    seeds |= ink & seeds >> i;
    ink &= ink >> i;
  }
  return seeds;
}

/* Spreads the part from one row of it to another, `y`. Returns whether that has more pixels now. */
static int tinydigits_spread(int from, int y) {
  const uint32_t *ink = tinydigits_ink + 5 * y;
  uint32_t *row = tinydigits_part + 5 * y, reached[5], more = 0;
  for (int i = 0; i < 5; i++) reached[i] = tinydigits_part[5 * from + i];
  tinydigits_enlarge(reached);
  for (int i = 0; i < 5; i++) {
    reached[i] = ((reached[i] | (i ? reached[i - 1] >> 31 : 0)) & ink[i]) | row[i];
    if (reached[i]) reached[i] = tinydigits_run(reached[i], ink[i]);
  }
  for (int i = 4; i >= 0; i--) {
    if (i < 4 && reached[i + 1] & 1)
      reached[i] = tinydigits_run(reached[i] | (ink[i] >> 31 << 31), ink[i]);
    more |= reached[i] ^ row[i];
    row[i] = reached[i];
  }
  return more != 0;
}

/* Spreads the part, which has pixels in the rows from `top` to `bottom`, over all ink that is
   connected with it and not above `top`. Returns the row below it. */
static int tinydigits_connect(int height, int top, int bottom) {
  for (int more = 1; more;) {
    more = 0;
    for (int y = top; y < height; y++) {
      const int spread = tinydigits_spread(tinydigits_max(y - 1, top), y);
      more |= spread;
      if (spread) bottom = tinydigits_max(bottom, y + 1);
      if (!spread && y >= bottom) break;
    }
    for (int y = bottom - 2; y >= top; y--) more |= tinydigits_spread(y + 1, y);
  }
  return bottom;
}

/* Takes the piece whose first pixel is `column` of row `top` out of the ink. */
static tinydigits_piece tinydigits_take(int height, int column, int top) {
  tinydigits_piece piece;
  tinydigits_set(tinydigits_part + 5 * top, column);
  const int bottom = tinydigits_connect(height, top, top + 1);
  const tinydigits_box box = tinydigits_bounds(tinydigits_part, top, bottom);
  piece.left = (uint8_t)box.left;
  piece.top = (uint8_t)top;
  piece.right = (uint8_t)box.right;
  piece.bottom = (uint8_t)bottom;
  piece.column = (uint8_t)column;
  piece.area = tinydigits_area(tinydigits_part, top, bottom);
  for (int i = 5 * top; i < 5 * bottom; i++) tinydigits_ink[i] ^= tinydigits_part[i];
  tinydigits_clear(tinydigits_part + 5 * top, 5 * (bottom - top));
  return piece;
}

/* Puts a piece into its place among the 12 largest, which come first; `count` are known. Returns
   how many there are now. */
static int tinydigits_rank(tinydigits_piece piece, tinydigits_piece pieces[12], int count) {
  int place = count;
  for (; place > 0 && pieces[place - 1].area < piece.area; place--)
    if (place < 12) pieces[place] = pieces[place - 1];
  if (place < 12) pieces[place] = piece;
  return tinydigits_least(count + 1, 12);
}

/* Takes all pieces out of the ink and keeps the largest. Returns how many these are. */
static int tinydigits_take_all(int height, tinydigits_piece pieces[12]) {
  int count = 0;
  tinydigits_clear(tinydigits_part, 600);
  for (int i = 0; i < 5 * height; i++)
    while (tinydigits_ink[i]) {
      const int top = (int)tinydigits_divided(i, 5), first = 32 * (i - 5 * top);
      const int column = first + tinydigits_ones((tinydigits_ink[i] & -tinydigits_ink[i]) - 1);
      count = tinydigits_rank(tinydigits_take(height, column, top), pieces, count);
    }
  return count;
}

static tinydigits_box tinydigits_box_of(tinydigits_piece piece) {
  const tinydigits_box box = {piece.left, piece.top, piece.right, piece.bottom};
  return box;
}

static tinydigits_box tinydigits_union(tinydigits_box a, tinydigits_box b) {
  a.left = tinydigits_least(a.left, b.left);
  a.top = tinydigits_least(a.top, b.top);
  a.right = tinydigits_max(a.right, b.right);
  a.bottom = tinydigits_max(a.bottom, b.bottom);
  return a;
}

/* Returns how far two boxes are apart; less than 0 if they overlap. */
static int tinydigits_gap(tinydigits_box a, tinydigits_box b) {
  return tinydigits_max(
      tinydigits_max(a.left, b.left) - tinydigits_least(a.right, b.right),
      tinydigits_max(a.top, b.top) - tinydigits_least(a.bottom, b.bottom));
}

/* Returns how much of the part lies at the frame's edge, in pixels. */
static int tinydigits_at_edge(const tinydigits_frame *frame) {
  const int bottom = frame->height;
  int count = tinydigits_area(tinydigits_part, 0, 1);
  count += tinydigits_area(tinydigits_part, bottom - 1, bottom);
  for (int y = 0; y < bottom; y++) {
    const uint32_t *row = tinydigits_part + 5 * y;
    count += tinydigits_bit(row, 0) + tinydigits_bit(row, frame->width - 1);
  }
  return count;
}

/* Makes the largest piece, and those close to it, the part. Returns whether another one, away from
   the frame's edge, may be a second digit. Two digits side by side are wider than one. */
static int tinydigits_join(const tinydigits_frame *frame, const tinydigits_piece *pieces, int count,
                           tinydigits_box *digit) {
  const int size = tinydigits_size(*digit);
  int is_second = 0;
  for (int i = 0; i < count; i++) {
    const tinydigits_piece piece = pieces[i];
    const tinydigits_box box = tinydigits_box_of(piece), both = tinydigits_union(*digit, box);
    if (50 * piece.area < pieces[0].area) break; /* specks */
    if (16 * tinydigits_gap(box, *digit) <= 3 * size && 2 * (both.right - both.left) <= 3 * size) {
      *digit = both;
      tinydigits_set(tinydigits_part + 5 * piece.top, piece.column);
    } else if (8 * tinydigits_size(box) > 3 * size) {
      is_second |= box.left > 0 && box.top > 0 && box.right < frame->width &&
                   box.bottom < frame->height;
    }
  }
  digit->bottom = tinydigits_connect(frame->height, digit->top, digit->bottom);
  return is_second;
}

/* Makes the digit the part and sets its box. Returns an error or 0. */
static int tinydigits_find(const tinydigits_frame *frame, int sign, int threshold,
                           tinydigits_box *digit) {
  tinydigits_piece pieces[12];
  tinydigits_mark(frame, sign, threshold);
  const int count = tinydigits_take_all(frame->height, pieces);
  if (!count) return TINYDIGITS_NO_DIGIT;
  *digit = tinydigits_box_of(pieces[0]);
  if (tinydigits_size(*digit) < 6) return TINYDIGITS_NO_DIGIT; /* a speck */
  tinydigits_mark(frame, sign, threshold);
  const int is_second = tinydigits_join(frame, pieces, count, digit);
  const int32_t all = tinydigits_area(tinydigits_ink, 0, frame->height);
  const int32_t area = tinydigits_area(tinydigits_part, 0, frame->height);
  if (4 * area < all) return TINYDIGITS_NO_DIGIT; /* noise */
  const int around = digit->right - digit->left + digit->bottom - digit->top;
  if (2 * tinydigits_at_edge(frame) > around) return TINYDIGITS_NO_DIGIT; /* a shadow, a desk */
  return is_second ? TINYDIGITS_SEVERAL : 0;
}
