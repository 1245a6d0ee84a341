// predict FILE: the outputs of the model for each row of a file, as CSV or NPY.
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/output.h"
#include "runtime/reader.h"
#include "runtime/run.h"
#include "runtime/stream.h"

static Dataset read_rows(Run *run, const Entry *entry) {
    const char *path = run->options.file;
    Dataset d = dataset_of_inputs(&run->mem, run->manifest, entry);
    run_load_words(run);
    data_name_classes(&run->data, &d);
    if (d.n == 0) fail("this program's model has no input to read from %s", path);
    reader_of_file(path)->rows(&d, &run->mem, path);
    return d;
}

// Results that have a row for each sample, in the entry's order.
static bool is_shown(const Result *r) {
    return r->tensor->by_batch;
}

// The winning element is a class where labels of that many classes are what is trained on: their
// field, or null.
static const Field *field_of_classes(const Manifest *m, const Tensor *t) {
    if (t->rank != 2 || !elem_is_real(t->elem)) return NULL;
    for (int i = 0; i < m->data.n_field; i++) {
        if (m->data.field[i].below == t->dim[1] && t->dim[1] > 1) return &m->data.field[i];
    }
    return NULL;
}

// By its name where it has one, behind what is there.
static void print_class(Buffer *b, const Run *run, const Field *f, int64_t class) {
    const Words *w = &run->data.words[f->words_of];
    if (nn_words_print && class < w->n) nn_words_print(b, w, class);
    else buffer_format(b, "%" PRId64, class);
}

static void print_header(Buffer *b, const Manifest *m, const Entry *entry) {
    const char *comma = "";
    for (int i = 0; i < entry->n_result; i++) {
        const Result *r = &entry->result[i];
        if (!is_shown(r)) continue;
        int64_t n = tensor_row_count(r->tensor);
        for (int64_t k = 0; k < n; k++) {
            buffer_format(b, "%s%s", comma, r->name);
            if (n > 1) buffer_format(b, ".%" PRId64, k);
            comma = ",";
        }
        bool is_alone = strcmp(r->name, "output") == 0;
        if (field_of_classes(m, r->tensor))
            buffer_format(b, ",%s%sclass", is_alone ? "" : r->name, is_alone ? "" : ".");
    }
    buffer_format(b, "\n");
}

static void print_tensor_row(Buffer *b, const Run *run, const Tensor *t, const char *data,
                             int64_t row, bool is_first) {
    int64_t n = tensor_row_count(t), best = 0;
    const Field *words = nn_words_shown ? nn_words_shown(run, t) : NULL,
                *classes = field_of_classes(run->manifest, t);
    for (int64_t k = 0; k < n; k++) {
        double x = elem_load(t->elem, data, row * n + k);
        if (x > elem_load(t->elem, data, row * n + best)) best = k;
        if (!is_first || k > 0) buffer_add(b, ",", 1);
        if (words) print_class(b, run, words, (int64_t)x);
        else buffer_format(b, "%.*g", t->elem == ELEM_f64 ? 17 : 9, x);
    }
    if (!classes) return;
    buffer_add(b, ",", 1);
    print_class(b, run, classes, best);
}

static void print_row(Buffer *b, const Run *run, const Entry *entry, int64_t row) {
    bool is_first = true;
    for (int i = 0; i < entry->n_result; i++) {
        const Tensor *t = entry->result[i].tensor;
        if (!is_shown(&entry->result[i])) continue;
        print_tensor_row(b, run, t, run->output[i], row, is_first);
        is_first = false;
    }
    buffer_format(b, "\n");
}

static void emit(Output *o, Buffer *b) {
    output_write(o, b->data, b->length);
    b->length = 0;
}

// The one tensor that an NPY file gets.
static const Result *single_result(const Entry *entry, const char *path) {
    const Result *r = NULL;
    for (int i = 0; i < entry->n_result; i++) {
        if (!is_shown(&entry->result[i])) continue;
        if (r) fail("%s: an NPY file holds one array, expected CSV for several outputs", path);
        r = &entry->result[i];
    }
    return r;
}

static void print_npy_header(Buffer *b, const Tensor *t, int64_t rows) {
    enum { ALIGNED = 64, LENGTH_AT = 8, TEXT_AT = 10 };
    static const char *const type[N_ELEM] = {"|b1", "|u1", "<i4", "<f4", "<f8"};
    buffer_add(b, "\x93NUMPY\1\0\0", TEXT_AT);
    buffer_format(b, "{'descr': '%s', 'fortran_order': False, 'shape': (%" PRId64,
                  type[t->elem], rows);
    for (int i = 1; i < t->rank; i++) buffer_format(b, ", %" PRId64, t->dim[i]);
    buffer_format(b, "%s), }", t->rank == 1 ? "," : "");
    while (b->length % ALIGNED != ALIGNED - 1) buffer_add(b, " ", 1);
    buffer_add(b, "\n", 1);
    b->data[LENGTH_AT] = (char)((b->length - TEXT_AT) & 255);
    b->data[LENGTH_AT + 1] = (char)((b->length - TEXT_AT) >> 8);
}

// `array`: what is written as NPY; null for CSV.
static void print_all(Run *run, const Entry *entry, const Split *split, const Result *array,
                      Output *o) {
    Buffer b = {0};
    if (array) print_npy_header(&b, array->tensor, split->rows);
    else print_header(&b, run->manifest, entry);
    // A stream is one, from the first row to the last.
    int64_t batch = stream_begin ? 1 : run->manifest->batch;
    if (stream_begin) stream_begin(run);
    for (int64_t begin = 0; begin < split->rows; begin += batch) {
        int64_t n = split->rows - begin < batch ? split->rows - begin : batch;
        run_outputs(run, split, begin, n);
        for (int64_t row = 0; row < n && !array; row++) print_row(&b, run, entry, row);
        emit(o, &b);
        if (!array) continue;
        int64_t row_bytes = tensor_bytes(array->tensor) / array->tensor->dim[0];
        output_write(o, run->output[array - entry->result], (size_t)(n * row_bytes));
    }
    buffer_free(&b);
}

int run_predict(Run *run) {
    const Entry *entry = machine_entry(&run->machine, "predict");
    bool shows = false;
    for (int i = 0; i < entry->n_result; i++) shows |= is_shown(&entry->result[i]);
    if (!shows) fail("this program's model has no output with a row for each sample");
    Dataset d = read_rows(run, entry);
    Split split = {&d, d.rows, mem_array(&run->mem, (size_t)d.rows, sizeof *split.row)};
    for (int64_t i = 0; i < d.rows; i++) split.row[i] = i;
    run_load_trained(run);

    Output o = {.path = "standard output", .file = STDOUT_FILENO};
    const char *path = run->options.output;
    size_t length = path ? strlen(path) : 0;
    bool is_npy = length > 4 && strcmp(path + length - 4, ".npy") == 0;
    const Result *array = is_npy ? single_result(entry, path) : NULL;
    if (path && strcmp(path, "-") != 0) output_open(&o, &run->mem, path);
    print_all(run, entry, &split, array, &o);
    if (!output_close(&o)) fail("%s: cannot write: %s", o.path, strerror(o.error));
    dataset_free(&d);
    return 0;
}
