// Writes the data and the first weights of the runs that are held against another framework:
//
//   make_inputs mlp|lenet5|siamese FOLDER
//   make_inputs NETWORK FOLDER < deep.tsv
//
// FOLDER gets the four IDX files of an image data set (one batch of rows, the test pair the
// same) and weights.safetensors. Everything is a function of an integer hash, the same in
// reference.py, so that nothing large is kept.
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIXELS = 28 * 28, CLASSES = 10 };

enum { MOST_TENSORS = 100 };

typedef struct Tensor {
    const char *name;
    int rank, dim[5];
    int fan_in;            // uniform in +-gain / sqrt(fan_in); 0 where the next two say it
    double offset, bound;  // offset + uniform in +-bound
} Tensor;

typedef struct Workload {
    const char *name;
    int rows;
    double gain;
    Tensor tensor[MOST_TENSORS];  // ends with a NULL name
} Workload;

static const Workload workloads[] = {
    {"mlp",
     128,
     1,
     {{"dense#1.w", 2, {784, 512}, 784},
      {"dense#1.b", 1, {512}, 784},
      {"dense#2.w", 2, {512, 256}, 512},
      {"dense#2.b", 1, {256}, 512},
      {"dense#3.w", 2, {256, 10}, 256},
      {"dense#3.b", 1, {10}, 256}}},
    {"lenet5",
     64,
     2,
     {{"conv2d#1.k", 5, {5, 5, 1, 1, 6}, 25},
      {"conv2d#1.b", 1, {6}, 25},
      {"conv2d#2.k", 5, {5, 5, 1, 6, 16}, 150},
      {"conv2d#2.b", 1, {16}, 150},
      {"dense#1.w", 2, {400, 120}, 400},
      {"dense#1.b", 1, {120}, 400},
      {"dense#2.w", 2, {120, 84}, 120},
      {"dense#2.b", 1, {84}, 120},
      {"dense#3.w", 2, {84, 10}, 84},
      {"dense#3.b", 1, {10}, 84}}},
    {"siamese",
     64,
     1,
     {{"net.dense#1.w", 2, {784, 64}, 784},
      {"net.dense#1.b", 1, {64}, 784},
      {"net.dense#2.w", 2, {64, 32}, 64},
      {"net.dense#2.b", 1, {32}, 64}}},
};

enum { N_WORKLOAD = sizeof workloads / sizeof *workloads };

// The finalizer of SplitMix64. Steele, Lea and Flood 2014.
static uint64_t hash(uint32_t stream, uint32_t i) {
    uint64_t z = ((uint64_t)stream << 32 | i) + 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static int label(int row) {
    return (int)(hash(100, (uint32_t)row) % CLASSES);
}

// Three parts a pattern of the class, one part noise.
static int pixel(int row, int i) {
    int pattern = (int)(hash(101, (uint32_t)(label(row) * PIXELS + i)) >> 56);
    int noise = (int)(hash(102, (uint32_t)(row * PIXELS + i)) >> 56);
    return (3 * pattern + noise) / 4;
}

static FILE *create(const char *folder, const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (!f) {
        perror(path);
        exit(1);
    }
    return f;
}

static void put_big_endian(FILE *f, uint32_t v) {
    for (int shift = 24; shift >= 0; shift -= 8) putc((int)(v >> shift & 255), f);
}

static void write_idx(const char *folder, const char *prefix, int rows) {
    char name[64];
    snprintf(name, sizeof name, "%s-images-idx3-ubyte", prefix);
    FILE *f = create(folder, name);
    put_big_endian(f, 0x803);
    put_big_endian(f, (uint32_t)rows);
    put_big_endian(f, 28);
    put_big_endian(f, 28);
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < PIXELS; i++) putc(pixel(r, i), f);
    fclose(f);

    snprintf(name, sizeof name, "%s-labels-idx1-ubyte", prefix);
    f = create(folder, name);
    put_big_endian(f, 0x801);
    put_big_endian(f, (uint32_t)rows);
    for (int r = 0; r < rows; r++) putc(label(r), f);
    fclose(f);
}

static int count(const Tensor *t) {
    int n = 1;
    for (int i = 0; i < t->rank; i++) n *= t->dim[i];
    return n;
}

// Eight bytes of header length, a JSON header padded with spaces, little-endian values.
static void write_weights(const char *folder, const Workload *w) {
    static char header[1 << 16];
    int length = 0;
    long offset = 0;
    for (const Tensor *t = w->tensor; t->name; t++) {
        length += sprintf(header + length, "%c\"%s\":{\"dtype\":\"F32\",\"shape\":[",
                          t == w->tensor ? '{' : ',', t->name);
        for (int i = 0; i < t->rank; i++)
            length += sprintf(header + length, "%s%d", i ? "," : "", t->dim[i]);
        length += sprintf(header + length, "],\"data_offsets\":[%ld,%ld]}", offset,
                          offset + 4L * count(t));
        offset += 4L * count(t);
    }
    header[length++] = '}';
    while (length % 8) header[length++] = ' ';

    FILE *f = create(folder, "weights.safetensors");
    for (int i = 0; i < 8; i++) putc((int)((uint64_t)length >> 8 * i & 255), f);
    fwrite(header, 1, (size_t)length, f);
    for (const Tensor *t = w->tensor; t->name; t++) {
        double bound = t->fan_in ? w->gain / sqrt(t->fan_in) : t->bound;
        for (int i = 0; i < count(t); i++) {
            double u = (double)(hash((uint32_t)(t - w->tensor), (uint32_t)i) >> 40) / (1 << 24);
            float x = (float)(t->offset + (2 * u - 1) * bound);
            uint32_t bits;
            memcpy(&bits, &x, 4);
            for (int b = 0; b < 4; b++) putc((int)(bits >> 8 * b & 255), f);
        }
    }
    fclose(f);
}

// The lines of deep.tsv that tell of one network: =NETWORK, then `rows` and their number, or a
// parameter's path, offset, bound and sizes.
static void read_workload(const char *network, Workload *w) {
    char line[1024], name[64], path[256], sizes[256];
    int n = 0;
    while (fgets(line, sizeof line, stdin)) {
        Tensor *t = &w->tensor[n];
        int rows;
        if (sscanf(line, "=%63s rows %d", name, &rows) == 2) {
            if (!strcmp(name, network)) w->rows = rows;
            continue;
        }
        if (sscanf(line, "=%63s %255s %lf %lf %255[0-9 ]", name, path, &t->offset, &t->bound,
                   sizes) != 5 || strcmp(name, network))
            continue;
        t->name = strdup(path);
        for (char *at = strtok(sizes, " "); at && t->rank < 5; at = strtok(NULL, " "))
            t->dim[t->rank++] = atoi(at);
        if (++n == MOST_TENSORS) exit(3);
    }
}

static void write_all(const char *folder, const Workload *w) {
    write_idx(folder, "train", w->rows);
    write_idx(folder, "t10k", w->rows);
    write_weights(folder, w);
}

int main(int argc, char **argv) {
    for (int i = 0; argc == 3 && i < N_WORKLOAD; i++) {
        const Workload *w = &workloads[i];
        if (strcmp(argv[1], w->name)) continue;
        write_all(argv[2], w);
        return 0;
    }
    static Workload other;
    if (argc == 3) read_workload(argv[1], &other);
    if (other.tensor[0].name) {
        write_all(argv[2], &other);
        return 0;
    }
    fprintf(stderr, "usage: make_inputs mlp|lenet5|siamese|NETWORK FOLDER [< deep.tsv]\n");
    return 2;
}
