/* A training step of the folded net, digit by digit: forward pass, gradients, Adam.

   Compiled to WebAssembly by benchmarks/step.py. Maps lie pixel after pixel, channels inside, so that a
   row of a kernel is one run of numbers in the map and in the weights: (outputs, rows, columns,
   inputs), then biases. Channels are filled up to multiples of four, the lanes of a vector. */

#define EXPORT __attribute__((visibility("default")))
#define LAYERS 7
#define CLASSES 12 /* ten, and two that stay zero */

typedef float Four __attribute__((vector_size(16), aligned(4)));

typedef struct {
  int inputs, outputs, kernel, side; /* side of the input */
  int pooled;                        /* 1: a 2x2 maximum follows */
} Layer;

/* The first layer sees patches of 3x3 pixels as channels. The mean that the net takes before its
   last layer is taken after it: that layer is linear. */
static const Layer layers[LAYERS] = {
  {12, 8, 1, 26, 0}, {8, 16, 3, 26, 1},  {16, 16, 3, 12, 0},      {16, 24, 3, 10, 1},
  {24, 24, 3, 4, 0}, {24, 16, 1, 2, 0},  {16, CLASSES, 1, 2, 0},
};

#define COUNT 12884
EXPORT float weights[COUNT], gradients[COUNT];
EXPORT float pixels[28 * 28]; /* normalised */
EXPORT float logits[CLASSES], errors[CLASSES]; /* errors: gradients of the logits */
static float first[COUNT], second[COUNT]; /* Adam's moments */

static float maps[LAYERS + 1][26 * 26 * 12], slopes[LAYERS + 1][26 * 26 * 12];
static short origins[LAYERS + 1][12 * 12 * 16]; /* pixel of which a maximum is the value */

static Four load(const float *from) { return *(const Four *)from; }

/* Return the sums of four vectors' lanes. */
static Four sums(Four a, Four b, Four c, Four d) {
  Four ab = __builtin_shufflevector(a, b, 0, 4, 2, 6) + __builtin_shufflevector(a, b, 1, 5, 3, 7);
  Four cd = __builtin_shufflevector(c, d, 0, 4, 2, 6) + __builtin_shufflevector(c, d, 1, 5, 3, 7);
  return __builtin_shufflevector(ab, cd, 0, 1, 4, 5) + __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
}

static Four rectified(Four values) { return __builtin_wasm_max_f32x4(values, (Four){0}); }

static int weights_of(const Layer *layer) {
  return layer->outputs * layer->kernel * layer->kernel * layer->inputs;
}

/* Compute four outputs of two pixels, then the next. */
static void convolve(const Layer *layer, const float *weight, const float *map, float *result,
                     int is_last) {
  const int side = layer->side - layer->kernel + 1, row = layer->kernel * layer->inputs;
  const int stride = layer->side * layer->inputs, size = layer->kernel * row;
  const float *bias = weight + weights_of(layer);
  for (int output = 0; output < layer->outputs; output += 4) {
    const float *w = weight + output * size;
    for (int pixel = 0; pixel < side * side; pixel += 2) {
      const float *x = map + pixel / side * stride + pixel % side * layer->inputs;
      Four one[4] = {0}, other[4] = {0};
      for (int y = 0; y < layer->kernel; y++) {
        for (int i = 0; i < row; i += 4) {
          Four a = load(x + y * stride + i), b = load(x + y * stride + i + layer->inputs);
#pragma unroll
          for (int k = 0; k < 4; k++) {
            Four v = load(w + k * size + y * row + i);
            one[k] += a * v;
            other[k] += b * v;
          }
        }
      }
      float *to = result + pixel * layer->outputs + output;
      Four left = sums(one[0], one[1], one[2], one[3]) + load(bias + output);
      Four right = sums(other[0], other[1], other[2], other[3]) + load(bias + output);
      *(Four *)to = is_last ? left : rectified(left);
      *(Four *)(to + layer->outputs) = is_last ? right : rectified(right);
    }
  }
}

/* Take the maximum of each 2x2 pixels, and remember where it was. */
static void pool(const Layer *layer, const float *full, float *map, short *origin) {
  const int side = layer->side - layer->kernel + 1, channels = layer->outputs;
  for (int y = 0; y < side; y += 2) {
    for (int x = 0; x < side; x += 2) {
      for (int channel = 0; channel < channels; channel++) {
        int best = y * side + x;
        for (int k = 1; k < 4; k++) {
          int pixel = (y + k / 2) * side + x + k % 2;
          if (full[pixel * channels + channel] > full[best * channels + channel]) best = pixel;
        }
        *map++ = full[best * channels + channel];
        *origin++ = best;
      }
    }
  }
}

static void cut_patches(void) {
  for (int pixel = 0; pixel < 26 * 26; pixel++) {
    for (int tap = 0; tap < 9; tap++) {
      maps[0][12 * pixel + tap] = pixels[(pixel / 26 + tap / 3) * 28 + pixel % 26 + tap % 3];
    }
  }
}

/* Compute the logits of the pixels; the maps of all layers are kept. */
EXPORT void forward(void) {
  static float full[24 * 24 * 16];
  cut_patches();
  const float *weight = weights;
  for (int n = 0; n < LAYERS; n++) {
    const Layer *layer = layers + n;
    convolve(layer, weight, maps[n], layer->pooled ? full : maps[n + 1], n == LAYERS - 1);
    if (layer->pooled) pool(layer, full, maps[n + 1], origins[n + 1]);
    weight += weights_of(layer) + layer->outputs;
  }
  const float *last = maps[LAYERS];
  for (int n = 0; n < CLASSES; n++) {
    logits[n] = (last[n] + last[n + CLASSES] + last[n + 2 * CLASSES] + last[n + 3 * CLASSES]) / 4;
  }
}

/* Add what one output's gradient adds to those of its weights and of its inputs. */
static void spread(const Layer *layer, float gradient, const float *x, float *dx, const float *w,
                   float *dw) {
  const int row = layer->kernel * layer->inputs, stride = layer->side * layer->inputs;
  for (int y = 0; y < layer->kernel; y++, x += stride, dx += stride) {
    for (int i = 0; i < row; i += 4, w += 4, dw += 4) {
      *(Four *)(dx + i) = load(dx + i) + gradient * load(w);
      *(Four *)dw = load(dw) + gradient * load(x + i);
    }
  }
}

/* Go through the outputs that have a gradient: few, behind a maximum and a ReLU. */
static void descend(int n, const float *weight, float *gradient) {
  const Layer *layer = layers + n;
  const int side = layer->side - layer->kernel + 1, size = weights_of(layer) / layer->outputs;
  const int count = side * side * layer->outputs / (layer->pooled ? 4 : 1);
  __builtin_memset(slopes[n], 0, layer->side * layer->side * layer->inputs * sizeof(float));
  for (int i = 0, output = 0; i < count; i++, output = i % layer->outputs) {
    const float g = slopes[n + 1][i];
    if (g == 0 || (n < LAYERS - 1 && maps[n + 1][i] <= 0)) continue;
    const int pixel = layer->pooled ? origins[n + 1][i] : i / layer->outputs;
    const int from = (pixel / side * layer->side + pixel % side) * layer->inputs;
    gradient[weights_of(layer) + output] += g;
    spread(layer, g, maps[n] + from, slopes[n] + from, weight + output * size,
           gradient + output * size);
  }
}

/* Add the gradients of one digit, of which forward() was called and `errors` set. */
EXPORT void backward(void) {
  for (int n = 0; n < 4 * CLASSES; n++) slopes[LAYERS][n] = errors[n % CLASSES] / 4;
  int start = COUNT;
  for (int n = LAYERS - 1; n >= 0; n--) {
    start -= weights_of(layers + n) + layers[n].outputs;
    descend(n, weights + start, gradients + start);
  }
}

/* Forget earlier steps and gradients. */
EXPORT void begin(void) {
  __builtin_memset(first, 0, sizeof first);
  __builtin_memset(second, 0, sizeof second);
  __builtin_memset(gradients, 0, sizeof gradients);
}

/* Take a step of Adam, begin new gradients. `rate` and `correction` contain what corrects the
   moments, which begin at zero: divided by 1 - 0.9^n and 1 - 0.99^n in step n, from 1. */
EXPORT void descend_by(float rate, float correction) {
  for (int n = 0; n < COUNT; n++) {
    const float g = gradients[n];
    first[n] += 0.1f * (g - first[n]);
    second[n] += 0.01f * (g * g - second[n]);
    weights[n] -= rate * first[n] / (__builtin_sqrtf(second[n] * correction) + 1e-8f);
    gradients[n] = 0;
  }
}
