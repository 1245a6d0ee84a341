// The products of W9 by a library that is opened at run time: one JSON line with the median time.
//
//   products LIBRARY dnnl|cblas M K N NN|TN|NT SECONDS
//
// Row-major and contiguous, C = A B; TN: A is stored K x M, NT: B is stored N x K. The threads are
// those that the library takes from its environment.
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

typedef int Dnnl(char, char, int64_t, int64_t, int64_t, float, const float *, int64_t,
                 const float *, int64_t, float, float *, int64_t);
typedef void Cblas(int, int, int, int, int, int, float, const float *, int, const float *, int,
                   float, float *, int);

typedef struct Product {
    Dnnl *dnnl;
    Cblas *cblas;
    int m, k, n;
    int a_turned, b_turned;
    float *a, *b, *c;
} Product;

enum { ROW_MAJOR = 101, AS_IS = 111, TURNED = 112, MOST_TIMES = 100000 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void multiply(const Product *p) {
    int lda = p->a_turned ? p->m : p->k, ldb = p->b_turned ? p->k : p->n;
    if (p->dnnl)
        p->dnnl(p->a_turned ? 'T' : 'N', p->b_turned ? 'T' : 'N', p->m, p->n, p->k, 1, p->a, lda,
                p->b, ldb, 0, p->c, p->n);
    else
        p->cblas(ROW_MAJOR, p->a_turned ? TURNED : AS_IS, p->b_turned ? TURNED : AS_IS, p->m, p->n,
                 p->k, 1, p->a, lda, p->b, ldb, 0, p->c, p->n);
}

// Numbers in [-0.5, 0.5), by a linear congruence.
static float *matrix(int rows, int columns) {
    size_t n = (size_t)rows * (size_t)columns;
    float *x = aligned_alloc(64, (n * sizeof *x + 63) / 64 * 64);
    uint32_t seed = 1;
    for (size_t i = 0; x && i < n; i++) {
        seed = seed * 1664525 + 1013904223;
        x[i] = (float)(seed >> 8) / (1 << 24) - 0.5f;
    }
    return x;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int open_library(Product *p, const char *path, const char *kind) {
    void *library = dlopen(path, RTLD_NOW);
    if (!library) return fprintf(stderr, "%s\n", dlerror()), 0;
    if (!strcmp(kind, "dnnl")) *(void **)&p->dnnl = dlsym(library, "dnnl_sgemm");
    else *(void **)&p->cblas = dlsym(library, "cblas_sgemm");
    return p->dnnl || p->cblas;
}

int main(int argc, char **argv) {
    static double times[MOST_TIMES];
    Product p = {0};
    if (argc != 8 || !open_library(&p, argv[1], argv[2])) return 1;
    p.m = atoi(argv[3]), p.k = atoi(argv[4]), p.n = atoi(argv[5]);
    p.a_turned = argv[6][0] == 'T', p.b_turned = argv[6][1] == 'T';
    p.a = matrix(p.m, p.k), p.b = matrix(p.k, p.n), p.c = matrix(p.m, p.n);
    double seconds = atof(argv[7]), start = now();
    for (int i = 0; i < 3 || now() - start < seconds / 3; i++) multiply(&p);
    int n = 0;
    for (start = now(); n < MOST_TIMES && (n < 5 || now() - start < seconds); n++) {
        double begin = now();
        multiply(&p);
        times[n] = now() - begin;
    }
    qsort(times, (size_t)n, sizeof *times, compare);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"step_ms\": %.6f, \"min_ms\": %.6f, \"peak_rss_mb\": %.1f}\n", 1e3 * times[n / 2],
           1e3 * times[0], (double)usage.ru_maxrss / 1024);
    return 0;
}
