// The safetensors format: 8 bytes of header length, a JSON header, the tensors' bytes.
// https://github.com/huggingface/safetensors
#ifndef NN_RUNTIME_SAFETENSORS_H
#define NN_RUNTIME_SAFETENSORS_H

#include "runtime/json.h"
#include "runtime/tensor.h"

#pragma GCC visibility push(hidden)

typedef struct StoredTensor {
    const char *name;
    const char *type;  // F32, BF16 ...
    Stored is;
    int rank;
    int64_t dim[MAX_RANK];
    int64_t count, bytes;
    const char *data;
} StoredTensor;

typedef struct Safetensors {
    const char *path;
    char *file;  // all of it
    size_t bytes;
    const Json *metadata;  // an object of texts, or null
    int n;
    StoredTensor *tensor;
} Safetensors;

// Reads and checks all of a file, or fails saying what is wrong with it.
void safetensors_read(Safetensors *s, Mem *mem, const char *path);
void safetensors_free(Safetensors *s);
const StoredTensor *safetensors_find(const Safetensors *s, const char *name);

// Converts a stored tensor to a tensor's elements; false where its type can't be.
bool safetensors_load(const StoredTensor *from, const Tensor *t, char *to);

// Writes parameters and states, and metadata that alternate keys and values. Returns null,
// or why the file could not be written; the file is then as it was.
const char *safetensors_write(Mem *mem, const char *path, const Tensor *const *tensor, int n,
                              const char *arena, const char *const *metadata, int n_pair);

#pragma GCC visibility pop

#endif
