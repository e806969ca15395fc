typedef struct {
  tinydigits_box box; /* the pixels that may have ink: those of the part and 16 around them */
  int sign;         /* 1 for ink that is darker than paper, -1 for lighter ink */
  int32_t strength; /* ink, 0 to 255, is a contrast times this, shifted right by 12 */
  int core;         /* the contrast of strong ink */
  int fringe;       /* how far from the part there may be ink, in 16ths of a pixel */
  int thicker;      /* by how much strokes are thickened on each side, in 16ths of a pixel */
} tinydigits_digit;

/* Calls the contrast that a fifth of the part exceeds full ink. */
static void tinydigits_weigh(const tinydigits_frame *frame, tinydigits_digit *digit) {
  const int area = tinydigits_area(tinydigits_part, 0, frame->height);
  tinydigits_clear_numbers();
  for (int y = digit->box.top; y < digit->box.bottom; y++) {
    tinydigits_look(frame, y, digit->sign);
    for (int x = digit->box.left; x < digit->box.right; x++)
      if (tinydigits_bit(tinydigits_part + 5 * y, x))
        tinydigits_numbers[tinydigits_contrast[x] >> 4]++;
  }
  const int32_t fifth = tinydigits_divided(area, 5) + 1;
  const int32_t full = 16 * tinydigits_level(255, -1, fifth) + 8;
  digit->strength = tinydigits_divided((int32_t)255 << 12, full);
  digit->core = (int)(full * @core@ >> 7);
}

/* Marks the digit's strong ink. */
static void tinydigits_mark_core(const tinydigits_frame *frame, const tinydigits_digit *digit) {
  tinydigits_clear(tinydigits_ink, 600);
  for (int y = digit->box.top; y < digit->box.bottom; y++) {
    uint32_t close[5], *row = tinydigits_ink + 5 * y;
    tinydigits_grow(tinydigits_part, frame->height, y, digit->fringe, close);
    tinydigits_look(frame, y, digit->sign);
    tinydigits_mark_row(frame->width, digit->core, row);
    for (int i = 0; i < 5; i++) row[i] &= close[i];
  }
}

/* Takes away the pixels of ink that have a neighbour without. */
static void tinydigits_erode(int height) {
  uint32_t above[5];
  tinydigits_clear(above, 5);
  for (int y = 0; y < height; y++) {
    uint32_t *row = tinydigits_ink + 5 * y, bare[5];
    for (int i = 0; i < 5; i++) bare[i] = ~row[i];
    tinydigits_enlarge(bare);
    bare[0] |= 1; /* there is no ink beyond the frame */
    bare[4] |= (uint32_t)1 << 31;
    for (int i = 0; i < 5; i++) {
      bare[i] |= ~above[i] | (y + 1 < height ? ~row[5 + i] : ~(uint32_t)0);
      above[i] = row[i];
      row[i] &= ~bare[i];
    }
  }
}

/* Sets how much thicker strokes have to be. A stroke's width is four times its mean depth, as in a
   long ribbon; less than @thinnest@ 16ths of a pixel of the net's picture become @thickened@. */
static void tinydigits_compare_width(const tinydigits_frame *frame, tinydigits_digit *digit) {
  const int h = frame->height, area = tinydigits_area(tinydigits_ink, 0, h);
  const int size = tinydigits_size(tinydigits_bounds(tinydigits_ink, 0, h));
  int32_t depth = 0;
  for (int left = area; left; left = tinydigits_area(tinydigits_ink, 0, h)) {
    depth += left;
    tinydigits_erode(h);
  }
  const int32_t width = tinydigits_divided(64 * depth, area) - 32;
  const int32_t lacking = (int32_t)@thickened@ * size - 20 * width;
  const int is_thin = 20 * width < (int32_t)@thinnest@ * size;
  digit->thicker = is_thin ? (int)tinydigits_divided(lacking, 2 * 20) : 0;
}

/* Computes the ink, 0 to 255, of a row of the digit's box in place of its contrasts. */
static void tinydigits_weigh_row(const tinydigits_frame *frame, const tinydigits_digit *digit,
                                 int y) {
  uint32_t row[5];
  tinydigits_look(frame, y, digit->sign);
  tinydigits_grow(tinydigits_part, frame->height, y, digit->fringe, row);
  for (int x = digit->box.left; x < digit->box.right; x++) {
    const int is_near = tinydigits_bit(row, x) && tinydigits_contrast[x] > 0;
    const int32_t ink = is_near ? tinydigits_contrast[x] * digit->strength >> 12 : 0;
    tinydigits_contrast[x] = (int16_t)(ink < @grain@ ? 0 : ink > 255 ? 255 : ink);
  }
  if (!digit->thicker) return;
  for (int i = 0; i < 4; i++) { /* an edge that fades within a pixel */
    const int16_t ink = (int16_t)(255 - 64 * i);
    tinydigits_grow(tinydigits_ink, frame->height, y, digit->thicker + 2 + 4 * i, row);
    for (int x = digit->box.left; x < digit->box.right; x++)
      if (tinydigits_bit(row, x) && tinydigits_contrast[x] < ink) tinydigits_contrast[x] = ink;
  }
}

/* Finds the most ink in each column and row, which become 160 and 120 of the numbers. Returns the
   box around all ink. */
static tinydigits_box tinydigits_profile(const tinydigits_frame *frame,
                                         const tinydigits_digit *digit) {
  tinydigits_box box = {frame->width, frame->height, 0, 0};
  int32_t *across = tinydigits_numbers, *down = across + 160;
  tinydigits_clear_numbers();
  for (int y = digit->box.top; y < digit->box.bottom; y++) {
    tinydigits_weigh_row(frame, digit, y);
    for (int x = digit->box.left; x < digit->box.right; x++) {
      const int16_t ink = tinydigits_contrast[x];
      const tinydigits_box pixel = {x, y, x + 1, y + 1};
      if (!ink) continue;
      box = tinydigits_union(box, pixel);
      if (ink > across[x]) across[x] = ink;
      if (ink > down[y]) down[y] = ink;
    }
  }
  return box;
}

/* Returns where the ink of a profile begins, in 256ths of a pixel from its first in steps of 1 or
   from its last in steps of -1: where there is half as much as `inside`, so far further in. */
static int32_t tinydigits_begin(const int32_t *profile, int count, int step, int inside) {
  const int whole = inside >> 8, part = inside & 255;
  int32_t before = 0;
  for (int n = 0; n < count; n++) {
    const int32_t *at = profile + (step > 0 ? n : count - 1 - n);
    const int32_t first = n + whole < count ? at[step * whole] : 0;
    const int32_t second = n + whole + 1 < count ? at[step * (whole + 1)] : 0;
    const int32_t most = first * (256 - part) + second * part;
    int32_t share = *at ? 256 : 0;
    if (256 * *at < most) share = tinydigits_divided(*at << 16, most);
    if (share >= 128)
      return 256 * (int32_t)n + 128 - tinydigits_divided(256 * (share - 128), share - before);
    before = share;
  }
  return 0;
}

/* Lanczos' filter of three lobes, 16 steps each. */
static TINYDIGITS_CONST int8_t tinydigits_lanczos[49] = {@lanczos@};

/* How the pixels along an axis become `count` others; lengths are in 256ths of a pixel. */
typedef struct {
  int32_t first, pitch; /* the middle of the first, and from one to the next */
  int32_t reach;        /* how far from the middle pixels count */
  int32_t steps;        /* of the filter in a length of 65536 */
  int count;
} tinydigits_axis;

static tinydigits_axis tinydigits_resampling(int32_t begin, int32_t end, int count) {
  tinydigits_axis axis;
  axis.pitch = tinydigits_divided(end - begin, count);
  const int32_t broad = axis.pitch < 256 ? 256 : axis.pitch;
  axis.first = begin + axis.pitch / 2;
  axis.reach = 3 * broad;
  axis.steps = tinydigits_divided((int32_t)16 << 16, broad);
  axis.count = count;
  return axis;
}

/* Returns the middle of a new pixel. */
static int32_t tinydigits_middle_of(const tinydigits_axis *axis, int i) {
  return axis->first + i * axis->pitch;
}

/* Returns the weight of a pixel in a new one. */
static int32_t tinydigits_share(const tinydigits_axis *axis, int pixel, int32_t middle) {
  const int32_t off = 256 * (int32_t)pixel + 128 - middle, away = off < 0 ? -off : off;
  return away < axis->reach ? tinydigits_lanczos[(away * axis->steps + 32768) >> 16] : 0;
}

/* Adds the ink of a row of the box to the sums of 20x20 pixels. */
static void tinydigits_add(tinydigits_box box, int y, const tinydigits_axis *across,
                           const tinydigits_axis *down) {
  int32_t row[20];
  for (int i = 0; i < across->count; i++) {
    const int32_t middle = tinydigits_middle_of(across, i);
    const int begin = tinydigits_max((int)((middle - across->reach) / 256), box.left);
    const int end = tinydigits_least((int)((middle + across->reach) / 256) + 1, box.right);
    row[i] = 0;
    for (int x = begin; x < end; x++)
      if (tinydigits_contrast[x])
        row[i] += tinydigits_contrast[x] * tinydigits_share(across, x, middle);
  }
  for (int j = 0; j < down->count; j++) {
    const int32_t weight = tinydigits_share(down, y, tinydigits_middle_of(down, j));
    if (!weight) continue;
    for (int i = 0; i < across->count; i++) tinydigits_numbers[20 * j + i] += row[i] * weight;
  }
}

/* Returns the sum that is white: that of full ink, or the largest. */
static int32_t tinydigits_white(const tinydigits_axis *across, const tinydigits_axis *down) {
  const int32_t full = (127 * (across->reach / 3) >> 8) * (127 * (down->reach / 3) >> 8) * 255;
  int32_t most = 1;
  for (int i = 0; i < 20 * 20; i++)
    if (tinydigits_numbers[i] > most) most = tinydigits_numbers[i];
  return most < full ? most : full;
}

/* Returns where the first of `count` pixels goes, so that the centre of mass is the frame's. */
static int tinydigits_place(int32_t moment, int32_t mass, int count) {
  const int place = @centre@ - (int)tinydigits_divided(2 * moment + mass, 2 * mass);
  return tinydigits_least(tinydigits_max(place, 0), 28 - count);
}

/* Writes the sums of ink, `columns` by `rows`, as a picture centred by mass. */
static void tinydigits_centre(int32_t white, int columns, int rows, uint8_t out[784]) {
  const int32_t unit = white / 256 + 1;
  int32_t mass = 0, right = 0, down = 0;
  for (int j = 0; j < 20; j++)
    for (int i = 0; i < 20; i++) {
      int32_t *ink = &tinydigits_numbers[20 * j + i];
      *ink = *ink > 0 ? tinydigits_divided(*ink, unit) : 0;
      if (*ink > 255) *ink = 255;
      mass += *ink;
      right += *ink * i;
      down += *ink * j;
    }
  const int left = tinydigits_place(right, mass, columns), top = tinydigits_place(down, mass, rows);
  for (int y = 0; y < 28; y++)
    for (int x = 0; x < 28; x++) {
      const int i = x - left, j = y - top, is_ink = i >= 0 && i < 20 && j >= 0 && j < 20;
      out[28 * y + x] = is_ink ? (uint8_t)tinydigits_numbers[20 * j + i] : 0;
    }
}

/* Returns how many of 20 pixels one of two sides gets. */
static int tinydigits_pixels(int32_t side, int32_t longer) {
  return tinydigits_max(1, (int)tinydigits_divided(20 * side + longer / 2, longer));
}

/* Writes the digit in the net's frame. */
static void tinydigits_fit(const tinydigits_frame *frame, const tinydigits_digit *digit,
                           uint8_t out[784]) {
  const int w = frame->width, h = frame->height;
  const int size = tinydigits_size(tinydigits_profile(frame, digit));
  const int inside = tinydigits_max((int)tinydigits_divided(128 * (int32_t)size, 20) - 128, 0);
  const int32_t *profile_x = tinydigits_numbers, *profile_y = profile_x + 160;
  const int32_t left = tinydigits_begin(profile_x, w, 1, inside);
  const int32_t right = 256 * (int32_t)w - tinydigits_begin(profile_x, w, -1, inside);
  const int32_t top = tinydigits_begin(profile_y, h, 1, inside);
  const int32_t bottom = 256 * (int32_t)h - tinydigits_begin(profile_y, h, -1, inside);
  const int32_t longer = right - left > bottom - top ? right - left : bottom - top;
  const tinydigits_axis across =
      tinydigits_resampling(left, right, tinydigits_pixels(right - left, longer));
  const tinydigits_axis down =
      tinydigits_resampling(top, bottom, tinydigits_pixels(bottom - top, longer));
  tinydigits_clear_numbers();
  for (int y = digit->box.top; y < digit->box.bottom; y++) {
    tinydigits_weigh_row(frame, digit, y);
    tinydigits_add(digit->box, y, &across, &down);
  }
  tinydigits_centre(tinydigits_white(&across, &down), across.count, down.count, out);
}

/* Turns a frame of grey pixels with one digit, dark on light or light on dark, into a picture for
   tinydigits_predict. A row begins `stride` pixels after the one before. Returns 0, or one of the
   errors above; then `out` is unchanged. Buffers are static: make one call at a time. */
static int tinydigits_from_grey(const uint8_t *pixels, int width, int height, int stride,
                                uint8_t out[784]) {
  const tinydigits_frame frame = {pixels, width, height, stride};
  tinydigits_digit digit;
  if (width < 1 || width > 160 || height < 1 || height > 120 || stride < width)
    return TINYDIGITS_BAD_SIZE;
  tinydigits_guess_paper(&frame);
  tinydigits_count_contrasts(&frame, 1);
  const int dark = tinydigits_strongest(&frame, 255), light = tinydigits_strongest(&frame, 0);
  digit.sign = dark >= light ? 1 : -1;
  int strongest = tinydigits_max(dark, light);
  for (int round = 0; round < 2; round++) {
    tinydigits_mark(&frame, digit.sign, tinydigits_faint(strongest));
    if (!tinydigits_measure_paper(&frame)) return TINYDIGITS_NO_DIGIT;
    tinydigits_count_contrasts(&frame, digit.sign);
    strongest = tinydigits_strongest(&frame, 255);
  }
  const int threshold = tinydigits_threshold(strongest);
  if (!threshold) return TINYDIGITS_NO_DIGIT;
  const int error = tinydigits_find(&frame, digit.sign, threshold, &digit.box);
  if (error) return error;
  digit.fringe = 16 + tinydigits_size(digit.box) / 4;
  digit.box.left = tinydigits_max(digit.box.left - 16, 0);
  digit.box.top = tinydigits_max(digit.box.top - 16, 0);
  digit.box.right = tinydigits_least(digit.box.right + 16, width);
  digit.box.bottom = tinydigits_least(digit.box.bottom + 16, height);
  tinydigits_weigh(&frame, &digit);
  tinydigits_mark_core(&frame, &digit);
  tinydigits_compare_width(&frame, &digit);
  tinydigits_mark_core(&frame, &digit);
  tinydigits_fit(&frame, &digit, out);
  return 0;
}

#ifdef TINYDIGITS_SELFTEST
/* Returns whether a golden picture is changed much when it is taken for a camera's frame; one
   without a digit has to be recognised as such. */
static int tinydigits_misframed(const uint8_t pixels[784], int is_digit) {
  static uint8_t out[784];
  int32_t off = 0, ink = 0;
  const int error = tinydigits_from_grey(pixels, 28, 28, 28, out);
  if (error || !is_digit) return error != (is_digit ? 0 : TINYDIGITS_NO_DIGIT);
  for (int i = 0; i < 784; i++) {
    off += pixels[i] > out[i] ? pixels[i] - out[i] : out[i] - pixels[i];
    ink += pixels[i];
  }
  return 2 * off > ink;
}
#endif
