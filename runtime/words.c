#include "runtime/words.h"

#include <string.h>

#include "runtime/input.h"
#include "runtime/run.h"
#include "runtime/safetensors.h"

// The first place whose word is not before this one.
static int64_t place_of(const Words *w, const char *word) {
    int64_t low = 0, high = w->n;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (strcmp(w->word[middle], word) < 0) low = middle + 1;
        else high = middle;
    }
    return low;
}

int64_t nn_words_find(const Words *w, const char *word) {
    int64_t i = place_of(w, word);
    return i < w->n && strcmp(w->word[i], word) == 0 ? i : -1;
}

// There is room for a power of two of them.
int64_t nn_words_insert(Words *w, const char *word) {
    int64_t i = place_of(w, word);
    if ((w->n & (w->n - 1)) == 0) {
        const char **wider = mem_array(w->mem, w->n ? 2 * (size_t)w->n : 1, sizeof *wider);
        if (w->n) memcpy(wider, w->word, (size_t)w->n * sizeof *wider);
        w->word = wider;
    }
    memmove(w->word + i + 1, w->word + i, (size_t)(w->n - i) * sizeof *w->word);
    w->word[i] = mem_text(w->mem, word, strlen(word));
    w->n++;
    return i;
}

const char *nn_words_list(const Words *w, Mem *mem) {
    enum { MOST = 12 };
    const char *text = "";
    for (int64_t i = 0; i < w->n && i < MOST; i++) {
        text = mem_format(mem, "%s%s%.40s", text, i ? ", " : "", w->word[i]);
    }
    return w->n > MOST ? mem_format(mem, "%s, ...", text) : text;
}

const char *nn_words_store(Column *c, int64_t row, const char *word, Mem *mem) {
    Words *w = c->words;
    int32_t *class = (int32_t *)c->data;
    int64_t place = nn_words_find(w, word);
    if (place < 0) {
        if (w->is_given) return mem_format(mem, "one of: %s", nn_words_list(w, mem));
        if (w->n == c->below) {
            return mem_format(mem, "no more words than class(%d) has: %s", (int)c->below,
                              nn_words_list(w, mem));
        }
        place = nn_words_insert(w, word);
        for (int64_t k = 0; k < row; k++) class[k] += class[k] >= place;
    }
    class[row] = (int32_t)place;
    return NULL;
}

void nn_words_print(Buffer *b, const Words *w, int64_t class) {
    const char *word = w->word[class], *quote = strpbrk(word, ",\"\r\n") ? "\"" : "";
    buffer_format(b, "%s", quote);
    for (const char *c = word; *c; c++) {
        if (*c == '"') buffer_add(b, c, 1);
        buffer_add(b, c, 1);
    }
    buffer_format(b, "%s", quote);
}

const Field *nn_words_shown(const Run *run, const Tensor *t) {
    const Manifest *m = run->manifest;
    for (int i = 0; i < m->data.n_field && t->below > 0; i++) {
        const Field *f = &m->data.field[i];
        if (f->below == t->below && f->is_words && run->data.words[f->words_of].n) return f;
    }
    return NULL;
}

// ---- in checkpoints: a list in JSON

static const Field *field_with_words(const Run *run, int i, Mem *mem, const char **key) {
    const Field *f = &run->manifest->data.field[i];
    *key = mem_format(mem, "words.%s", f->name);
    return f->is_words && f->words_of == i ? f : NULL;
}

const char *nn_words_of(const Run *run, int i, Mem *mem, const char **key) {
    if (!field_with_words(run, i, mem, key)) return NULL;
    const Words *w = &run->data.words[i];
    Buffer b = {0};
    buffer_add(&b, "[", 1);
    for (int64_t k = 0; k < w->n; k++) {
        if (k) buffer_add(&b, ",", 1);
        json_write_text(&b, w->word[k]);
    }
    buffer_add(&b, "]", 1);
    const char *text = mem_text(mem, b.data, b.length);
    buffer_free(&b);
    return text;
}

static void read_words(Words *w, const char *text) {
    JsonError error;
    const Json *list = json_parse(w->mem, text, strlen(text), &error);
    if (!list || list->kind != JSON_array) return;
    w->n = 0;
    w->is_given = true;
    w->word = mem_array(w->mem, (size_t)list->count, sizeof *w->word);
    for (const Json *word = list->first; word; word = word->next) {
        w->word[w->n++] = json_text(word, "");
    }
}

void nn_words_load(Run *run, const char *path) {
    if (!path_exists(path)) return;
    Safetensors st;
    Mem mem = {0};
    const char *key;
    safetensors_read(&st, &mem, path);
    for (int i = 0; i < run->manifest->data.n_field; i++) {
        if (!field_with_words(run, i, &mem, &key)) continue;
        const char *kept = json_text_in(st.metadata, key, NULL);
        if (kept) read_words(&run->data.words[i], kept);
    }
    safetensors_free(&st);
    mem_free(&mem);
}

void nn_words_check(const Run *run, const Safetensors *st, Mem *mem) {
    const char *key;
    for (int i = 0; i < run->manifest->data.n_field; i++) {
        const char *have = nn_words_of(run, i, mem, &key);
        const char *kept = have ? json_text_in(st->metadata, key, have) : NULL;
        if (have && strcmp(kept, have) != 0) {
            fail("%s: written for the words %.200s of %s, the data have %.200s", st->path, kept,
                 run->manifest->data.field[i].name, have);
        }
    }
}
