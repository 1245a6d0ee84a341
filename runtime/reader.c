#include "runtime/reader.h"

#include <string.h>

#include "runtime/input.h"

// Those that a program names are there; the others' addresses are null.
#pragma weak nn_reader_idx
#pragma weak nn_reader_folder
#pragma weak nn_reader_npy
#pragma weak nn_reader_npz
#pragma weak nn_reader_safetensors
#pragma weak nn_reader_text
#pragma weak nn_reader_pairs

// CSV last: it takes any file.
static const Reader *const reader[] = {
    &nn_reader_folder, &nn_reader_idx,         &nn_reader_npy, &npy_file,
    &nn_reader_npz,    &nn_reader_safetensors, &nn_reader_text, &nn_reader_pairs, &nn_reader_csv,
};
enum { N_READER = sizeof reader / sizeof *reader };

const Reader *reader_named(const char *name) {
    for (int i = 0; i < N_READER; i++) {
        if (reader[i] && reader[i]->name && strcmp(reader[i]->name, name) == 0) return reader[i];
    }
    return NULL;
}

const Reader *reader_of_file(const char *path) {
    unsigned char start[8] = {1};
    if (!path_is_folder(path)) {
        Mem mem = {0};
        Input *in = mem_get(&mem, sizeof *in);
        input_open(in, path);
        input_read(in, start, sizeof start);
        input_close(in);
        mem_free(&mem);
    }
    int i = 0;
    while (!reader[i] || !reader[i]->knows || !reader[i]->knows(path, start)) i++;
    return reader[i];
}

void reader_single(const Dataset *d, const char *path) {
    if (d->n != 1) fail("%s: one array, expected a file with %d of them", path, d->n);
}
