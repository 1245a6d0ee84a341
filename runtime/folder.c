// Data of an image folder: CLASS/*.jpg, or train/CLASS/*.jpg and test/CLASS/*.jpg. Classes and
// files are taken in the order of their names; files of other kinds are passed over. All are
// decoded when the program begins, by as many threads as there are processors.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "runtime/image.h"
#include "runtime/input.h"
#include "runtime/reader.h"

// ---- what is there

typedef struct Names {
    int64_t n, room;
    const char **name;
} Names;

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_image_name(const char *name) {
    static const char *const ending[] = {".jpg", ".jpeg", ".png"};
    const char *dot = strrchr(name, '.');
    for (int i = 0; dot && i < 3; i++)
        if (strcasecmp(dot, ending[i]) == 0) return true;
    return false;
}

static void add_name(Names *n, Mem *mem, const char *name) {
    if (n->n == n->room) {
        int64_t room = n->room ? 2 * n->room : 256;
        const char **wider = mem_array(mem, (size_t)room, sizeof *wider);
        if (n->n) memcpy(wider, n->name, (size_t)n->n * sizeof *wider);
        n->name = wider;
        n->room = room;
    }
    n->name[n->n++] = mem_text(mem, name, strlen(name));
}

// The folders, or the images, in a folder.
static Names list(Mem *mem, const char *path, bool folders) {
    Names names = {0};
    DIR *folder = opendir(path);
    if (!folder) fail("%s: cannot read: %s", path, strerror(errno));
    for (struct dirent *e; (e = readdir(folder));) {
        if (e->d_name[0] == '.') continue;
        bool is_folder = e->d_type == DT_DIR;
        if (e->d_type == DT_LNK || e->d_type == DT_UNKNOWN)
            is_folder = path_is_folder(mem_format(mem, "%s/%s", path, e->d_name));
        if (folders ? is_folder : !is_folder && is_image_name(e->d_name))
            add_name(&names, mem, e->d_name);
    }
    closedir(folder);
    if (names.n) qsort(names.name, (size_t)names.n, sizeof *names.name, compare_names);
    return names;
}

typedef struct Picture {
    const char *path;
    int64_t class;
} Picture;

typedef struct Pictures {
    int64_t n, room;
    Picture *at;
} Pictures;

static void add_folder(Pictures *p, Mem *mem, const char *path, int64_t class) {
    Names files = list(mem, path, false);
    if (p->n + files.n > p->room) {
        int64_t room = 2 * p->room > p->n + files.n ? 2 * p->room : p->n + files.n;
        Picture *wider = mem_array(mem, (size_t)room, sizeof *wider);
        if (p->n) memcpy(wider, p->at, (size_t)p->n * sizeof *wider);
        p->at = wider;
        p->room = room;
    }
    for (int64_t i = 0; i < files.n; i++)
        p->at[p->n++] = (Picture){mem_format(mem, "%s/%s", path, files.name[i]), class};
}

static bool is_images(const Column *c) {
    return !c->field || !c->field->part || strcmp(c->field->part, "labels") != 0;
}

// The column that takes classes, or null.
static const Column *label_column(const Dataset *d) {
    for (int i = 0; i < d->n; i++)
        if (!is_images(&d->column[i])) return &d->column[i];
    return NULL;
}

static void name_classes(const Dataset *d, Mem *mem, const char *path, const Names *folders) {
    const Column *label = label_column(d);
    if (!label) return;
    Words *w = label->words;
    for (int64_t i = 0; i < folders->n && !w->is_given; i++) {
        if (nn_words_find(w, folders->name[i]) < 0) nn_words_insert(w, folders->name[i]);
    }
    w->is_given = true;
    if (w->n > label->below) {
        fail("%s: %d folders of classes, expected at most %d for %s: %s", path, (int)w->n,
             (int)label->below, label->name, nn_words_list(w, mem));
    }
}

static int64_t class_of(const Dataset *d, Mem *mem, const char *path, const char *name) {
    const Column *label = label_column(d);
    if (!label) return 0;
    int64_t class = nn_words_find(label->words, name);
    if (class < 0) {
        fail("%s: %s is no class of %s, which are %s", path, name, label->name,
             nn_words_list(label->words, mem));
    }
    return class;
}

static Pictures find_pictures(const Dataset *d, Mem *mem, const char *path) {
    Pictures p = {0};
    Names folders = list(mem, path, true);
    name_classes(d, mem, path, &folders);
    for (int64_t i = 0; i < folders.n; i++) {
        const char *class = mem_format(mem, "%s/%s", path, folders.name[i]);
        add_folder(&p, mem, class, class_of(d, mem, path, folders.name[i]));
    }
    if (!label_column(d)) add_folder(&p, mem, path, 0);
    if (p.n == 0) {
        fail("%s: no images, expected %s", path,
             label_column(d) ? "a folder of .jpg or .png files for each class" : ".jpg or .png files");
    }
    return p;
}

// ---- reading them

typedef struct Work {
    const Picture *picture;
    int64_t n;
    Dataset *d;
    int64_t next, failed;  // the next one; the first that could not be read
    pthread_mutex_t lock;
    char why[200];  // of that one
} Work;

static bool read_file(Buffer *b, const char *path, char why[200]) {
    FILE *f = fopen(path, "rb");
    b->length = 0;
    for (size_t n = 1; f && n > 0; b->length += n) {
        enum { PIECE = 1 << 15 };
        char *to = buffer_extend(b, PIECE);
        b->length -= PIECE;
        n = fread(to, 1, PIECE, f);
    }
    bool is_read = f && !ferror(f);
    if (!is_read) snprintf(why, 200, "cannot read: %.100s", strerror(errno));
    if (f) fclose(f);
    return is_read;
}

static ImageShape shape_of(const Tensor *t) {
    const int64_t *dim = t->dim + t->by_batch;
    bool has_channels = t->rank - t->by_batch > 2;
    return (ImageShape){(int)dim[0], (int)dim[1], has_channels ? (int)dim[2] : 1};
}

static bool read_picture(Work *w, int64_t i, Buffer *b, char why[200]) {
    bool is_read = false;
    for (int k = 0; k < w->d->n; k++) {
        Column *c = &w->d->column[k];
        char *to = c->data + i * c->row_bytes;
        if (!is_images(c)) {
            *(int32_t *)to = (int32_t)w->picture[i].class;
            continue;
        }
        if (!is_read && !read_file(b, w->picture[i].path, why)) return false;
        is_read = true;
        const unsigned char *file = (const unsigned char *)b->data;
        if (!image_decode(file, b->length, shape_of(c->tensor), (unsigned char *)to, why))
            return false;
    }
    return true;
}

// Takes pictures in order, so that all before the first broken one are looked at, whichever
// thread meets it.
static void *work(void *work_) {
    Work *w = work_;
    Buffer b = {0};
    for (;;) {
        char why[200];
        int64_t i = __atomic_fetch_add(&w->next, 1, __ATOMIC_RELAXED);
        if (i >= w->n || i > __atomic_load_n(&w->failed, __ATOMIC_RELAXED)) break;
        if (read_picture(w, i, &b, why)) continue;
        pthread_mutex_lock(&w->lock);
        if (i < w->failed) {
            memcpy(w->why, why, sizeof why);
            __atomic_store_n(&w->failed, i, __ATOMIC_RELAXED);
        }
        pthread_mutex_unlock(&w->lock);
    }
    buffer_free(&b);
    return NULL;
}

static void read_pictures(Dataset *d, const Pictures *p) {
    enum { MOST_THREADS = 32, WORTH_A_THREAD = 64 };
    Work w = {.picture = p->at, .n = p->n, .d = d, .failed = p->n};
    pthread_t thread[MOST_THREADS];
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    int n = 0, most = processors < MOST_THREADS ? (int)processors : MOST_THREADS;
    dataset_reserve(d, p->n);
    d->rows = p->n;
    pthread_mutex_init(&w.lock, NULL);
    while (n + 1 < most && p->n / WORTH_A_THREAD > n) {
        if (pthread_create(&thread[n], NULL, work, &w)) break;
        n++;
    }
    work(&w);
    while (n > 0) pthread_join(thread[--n], NULL);
    pthread_mutex_destroy(&w.lock);
    if (w.failed < p->n) fail("%s: %s", p->at[w.failed].path, w.why);
}

// ---- the reader

static const char *find(Mem *mem, const char *path) {
    if (!path_is_folder(path)) return NULL;
    return list(mem, path, true).n || list(mem, path, false).n ? path : NULL;
}

static void read_data(Data *d, Mem *mem, const DataBlock *block, const char *path) {
    const char *train = mem_format(mem, "%s/train", path), *test = mem_format(mem, "%s/test", path);
    bool has_parts = path_is_folder(train);
    Pictures p = find_pictures(&d->pool, mem, has_parts ? train : path);
    read_pictures(&d->pool, &p);
    if (!has_parts || block->split[SPLIT_test].is_declared || !path_is_folder(test)) return;
    p = find_pictures(&d->held_out, mem, test);
    read_pictures(&d->held_out, &p);
}

static bool knows(const char *path, const unsigned char start[8]) {
    return path_is_folder(path) || image_is_known(start, 8);
}

// One picture, or those of a folder.
static void rows(Dataset *d, Mem *mem, const char *path) {
    Pictures p = {1, 1, &(Picture){path, 0}};
    reader_single(d, path);
    if (path_is_folder(path)) p = find_pictures(d, mem, path);
    read_pictures(d, &p);
}

const Reader nn_reader_folder = {
    "folder",
    "a folder of images: CLASS/*.jpg, or train/CLASS/*.jpg and test/CLASS/*.jpg",
    find,
    read_data,
    knows,
    rows,
};
