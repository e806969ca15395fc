/* Takes one step with the engine, from standard input to standard output: for processors on which
   Python does not run, and for sanitizers.

   In: batch, threads (int32), dropout, smoothing (float), parameters [13034], running means and
   variances [104] (float), images [batch][784], labels [batch] (uint8), moves [batch][37], lights
   [batch][819] (float, from 0 to 1). Out: losses [batch], logits [batch][10], gradient [13034],
   running means and variances [104], parameters after a step of Muon and Adam [13034] (float). */
#include <stdio.h>

#include "engine.c"

static void get(void *to, size_t bytes) {
    if (fread(to, 1, bytes, stdin) != bytes) exit(2);
}

static float *space(size_t count) {
    float *numbers = malloc(count * sizeof *numbers);
    if (!numbers) exit(3);
    return numbers;
}

static float *got(size_t count) {
    float *numbers = space(count);
    get(numbers, count * sizeof *numbers);
    return numbers;
}

static void put(const float *numbers, size_t count) { fwrite(numbers, sizeof *numbers, count, stdout); }

int main(void) {
    int32_t size[2];
    float rate[2];
    get(size, sizeof size);
    get(rate, sizeof rate);
    const size_t batch = (size_t)size[0];
    float *parameters = got(PARAMETERS), *mean = got(STATISTICS), *variance = got(STATISTICS);
    uint8_t *images = malloc(batch * PIXELS), *labels = malloc(batch);
    int64_t *indices = malloc(batch * sizeof *indices);
    if (!images || !labels || !indices) return 3;
    get(images, batch * PIXELS);
    get(labels, batch);
    for (size_t i = 0; i < batch; i++) indices[i] = (int64_t)i;
    float *moves = got(batch * 37), *lights = got(batch * 819);
    float *losses = space(batch), *logits = space(batch * CLASSES), *gradient = space(PARAMETERS);

    Step step = {
        .view = {.digits = images, .indices = indices, .offset = 255 * 0.1307f, .factor = 1 / (255 * 0.3081f),
                 .rotation = 0.3f, .translation = 0.1f, .scale = 0.2f, .shear = 0.17f, .elastic = 1, .moves = moves,
                 .moves_each = 37, .level = 0.4f, .unevenness = 0.3f, .contrast = 0.5f, .blur = 1, .sharpening = 2,
                 .outline = 1, .noise = 0.12f, .lit_share = 0.6f, .patches = 2, .lights = lights, .lights_each = 819},
        .targets = {.batch = size[0], .labels = labels, .smoothing = rate[1], .share = 1 / (float)batch,
                    .losses = losses, .logits = logits},
        .dropout = rate[0], .key = 12345678901,
        .parameters = parameters, .running_mean = mean, .running_variance = variance, .gradient = gradient,
    };
    Engine *engine = engine_new(size[0], size[1]);
    if (!engine) return 3;
    engine_gradient(engine, &step);
    float *memory = calloc(3 * PARAMETERS, sizeof *memory);
    if (!memory) return 3;
    const Optimizers optimizers = {.lr = 0.01, .beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-8, .weight_decay = 1e-5,
                                   .step = 1, .mean = memory, .square = memory + PARAMETERS, .muon_lr = 0.05,
                                   .momentum = 0.9, .muon_mean = memory + 2 * PARAMETERS};
    engine_update(engine, &optimizers, gradient, parameters);
    put(losses, batch), put(logits, batch * CLASSES), put(gradient, PARAMETERS);
    put(mean, STATISTICS), put(variance, STATISTICS), put(parameters, PARAMETERS);
    engine_free(engine);
    float *all_[] = {parameters, mean, variance, moves, lights, losses, logits, gradient, memory};
    for (size_t i = 0; i < sizeof all_ / sizeof *all_; i++) free(all_[i]);
    free(images), free(labels), free(indices);
    return 0;
}
