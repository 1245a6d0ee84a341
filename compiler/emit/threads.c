// Both modules at the same time: the first on this thread, the second on one of its own.
#include <pthread.h>

#include "emit/gen.h"

typedef struct Work {
    Code *g;
    void (*run)(Code *g);
} Work;

static void *run_work(void *work) {
    const Work *w = work;
    w->run(w->g);
    return NULL;
}

// LLVM walks deep graphs by recursion: as much stack as the first thread usually has.
static bool start_thread(pthread_t *thread, Work *work) {
    const size_t STACK = 8 << 20;
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes)) return false;
    bool is_started = !pthread_attr_setstacksize(&attributes, STACK) &&
                      !pthread_create(thread, &attributes, run_work, work);
    pthread_attr_destroy(&attributes);
    return is_started;
}

void each_module(Code *g, void (*work)(Code *g)) {
    Work other = {g->second, work};
    pthread_t thread;
    bool is_started = g->second && start_thread(&thread, &other);
    work(g);
    if (is_started) pthread_join(thread, NULL);
    else if (g->second) work(g->second);
}
