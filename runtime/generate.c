// generate: what a model makes of a prompt, printed as it is made.
#include "runtime/generate.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/input.h"
#include "runtime/vocabulary.h"

// ---- what a step is given

static void give(const Generation *g, const char *name, double x) {
    const Tensor *t = manifest_input(g->step, name);
    if (t) elem_store(t->elem, machine_data(&g->run->machine, t), 0, x);
}

// Temperature 0 takes the largest.
static void give_options(const Generation *g) {
    const Options *o = &g->run->options;
    give(g, "generate.pos", (double)g->place);
    give(g, "generate.temperature", o->greedy || o->beam ? 0 : o->temperature);
    give(g, "generate.top_k", (double)o->top_k);
    give(g, "generate.top_p", o->top_p);
}

static const Tensor *source_input(const Generation *g, const char *name) {
    const Tensor *t = g->source ? manifest_input(g->source, name) : NULL;
    return t ? t : manifest_input(g->step, name);
}

static void begin(Generation *g) {
    g->place = 0;
    if (g->begin) machine_run(&g->run->machine, g->begin, g->rows);
}

// The units up to place `at`; in front of the first one stands class 0.
static void run_place(Generation *g, int64_t at) {
    Machine *m = &g->run->machine;
    for (int64_t row = 0; row < g->rows && g->input; row++) {
        for (int64_t k = 0; k < g->places; k++) {
            int64_t from = at - g->places + 1 + k;
            elem_store(g->input->elem, machine_data(m, g->input), row * g->places + k,
                       from < 0 ? 0 : generation_row(g, row)[from]);
        }
    }
    give_options(g);
    m->clock.step = at + 1;  // draws are the place's, however often it is fed
    machine_run(m, g->step, g->rows);
    g->place++;
}

// Where the window is full it begins anew, with the last half of what it held.
void generation_feed(Generation *g, int64_t at) {
    if (g->window && g->place == g->window) {
        begin(g);
        for (int64_t k = at - g->window / 2; k < at; k++) run_place(g, k);
    }
    run_place(g, at);
}

int64_t generation_end(const Generation *g) {
    return g->field && text_rule(g->field).marks ? MARK_end : -1;
}

// ---- prompts

static int64_t read_numbers(const char *text, int64_t below, Mem *mem, int32_t **out) {
    int64_t n = 0;
    *out = mem_array(mem, strlen(text) + 1, sizeof **out);
    for (char *end; *(text += strspn(text, " \t\r\n,")); text = end) {
        double x = strtod(text, &end);
        if (end == text || x != floor(x) || x < 0 || x >= (double)below)
            fail("the prompt: %.20s: expected whole numbers from 0 to %" PRId64, text, below - 1);
        (*out)[n++] = (int32_t)x;
    }
    return n;
}

// Of a checkpoint, or of the data that the program has read; from here on there are no others.
static void need_words(Run *run, const Field *f) {
    Words *w = &run->data.words[f->words_of];
    w->is_given |= w->n > 0;
    if (text_rule(f).unit == UNIT_bytes || w->is_given) return;
    fail("no vocabulary: a checkpoint keeps that of the text that was trained on");
}

static int64_t read_units(const Generation *g, const char *text, int32_t **out) {
    Mem *mem = &g->run->mem;
    if (!g->field) return read_numbers(text, g->input ? g->input->below : INT32_MAX, mem, out);
    return text_encode(g->run, g->field, text, mem, out);
}

// What comes first where there is no prompt: the start mark, a line end, else class 0.
static int32_t first_unit(const Generation *g) {
    if (!g->field) return 0;
    TextRule rule = text_rule(g->field);
    if (rule.marks) return MARK_start;
    if (rule.unit == UNIT_bytes) return '\n';
    const Words *w = &g->run->data.words[g->field->words_of];
    for (int64_t i = 0; i < w->n; i++)
        if (strcmp(w->word[i], "\n") == 0) return (int32_t)i;
    return 0;
}

static const char *prompt_of(Run *run) {
    const Options *o = &run->options;
    if (o->prompt && o->prompt_file) fail_usage("--prompt or --prompt-file, not both");
    if (!o->prompt_file) return o->prompt ? o->prompt : "";
    size_t bytes;
    char *data = file_read(o->prompt_file, &bytes), *text = mem_text(&run->mem, data, bytes);
    if (strlen(text) != bytes) fail("%s: a zero byte, expected text", o->prompt_file);
    free(data);
    return text;
}

// ---- the source of pairs

static bool is_source(const Field *f) {
    return strcmp(json_text_in(f->json, "side", ""), "source") == 0;
}

// [n] units, the end mark, padding; behind `shift` of them, or the start mark. Or how many there are.
static void fill_source(Generation *g, const Field *f, const Tensor *t, const int32_t *unit, int64_t n) {
    char *to = machine_data(&g->run->machine, t);
    int64_t places = tensor_row_count(t), shift = (int64_t)json_number_in(f->json, "shift", 0);
    bool is_length = f->part != NULL;
    if (n + 1 > (is_length ? f->below - 1 : places + (shift > 0 ? shift : 0)))
        fail("the prompt: %" PRId64 " units and an end mark are too long for `%s`", n, f->name);
    for (int64_t row = 0; row < g->rows; row++) {
        for (int64_t k = 0; k < places; k++) {
            int64_t i = k + shift;
            int32_t x = i < 0 ? MARK_start : i < n ? unit[i] : i == n ? MARK_end : MARK_padding;
            elem_store(t->elem, to, row * places + k, is_length ? (double)(n + 1) : x);
        }
    }
}

// The inputs that a prompt fills; false where there are none.
static bool give_source(Generation *g, const char *prompt) {
    const DataBlock *data = &g->run->manifest->data;
    bool has_source = false;
    int32_t *unit = NULL;
    int64_t n = 0;
    for (int i = 0; i < data->n_field && !has_source; i++) {
        const Field *f = &data->field[i];
        has_source = is_source(f) && !f->part && source_input(g, f->name);
        if (!has_source) continue;
        need_words(g->run, f);
        n = text_encode(g->run, f, prompt, &g->run->mem, &unit);
    }
    for (int i = 0; i < data->n_field && has_source; i++) {
        const Field *f = &data->field[i];
        const Tensor *t = source_input(g, f->name);
        if (t && is_source(f)) fill_source(g, f, t, unit, n);
    }
    return has_source;
}

// ---- what is printed

static void print_unit(const Generation *g, int64_t before, int64_t unit) {
    Buffer b = {0};
    if (g->field) text_decode(g->run, g->field, before, unit, &b);
    else buffer_format(&b, "%s%" PRId64, before < 0 ? "" : " ", unit);
    if (b.length) fwrite(b.data, 1, b.length, stdout);
    fflush(stdout);
    buffer_free(&b);
}

// ---- place by place

// The prompt's units in all rows. Where it is a source, or there is none, sequences begin by themselves.
static void open_sequences(Generation *g, const char *prompt, int64_t length) {
    int32_t *unit;
    bool is_source = give_source(g, prompt);
    int64_t n = is_source ? 0 : read_units(g, prompt, &unit);
    int32_t first = first_unit(g);
    if (!is_source) fputs(prompt, stdout);
    g->n = n ? n : 1;
    g->room = g->n + length;
    g->unit = mem_array(&g->run->mem, (size_t)(g->rows * g->room), sizeof *g->unit);
    for (int64_t row = 0; row < g->rows; row++)
        memcpy(generation_row(g, row), n ? unit : &first, (size_t)g->n * sizeof *g->unit);
}

static void take_next(Generation *g) {
    Machine *m = &g->run->machine;
    for (int64_t row = 0; row < g->rows; row++)
        generation_row(g, row)[g->n] = (int32_t)elem_load(g->next->elem, machine_data(m, g->next), row);
    g->n++;
}

// Units [from, to) of a row, up to the end mark; false where that is met.
static bool print_units(const Generation *g, int64_t row, int64_t from, int64_t to, bool is_first) {
    const int32_t *unit = generation_row(g, row);
    for (int64_t i = from; i < to; i++) {
        if (unit[i] == generation_end(g)) return false;
        print_unit(g, is_first && i == from ? -1 : unit[i - 1], unit[i]);
    }
    return true;
}

static bool has_row_ended(const Generation *g, int64_t row, int64_t first) {
    const int32_t *unit = generation_row(g, row);
    for (int64_t i = first; i < g->n; i++)
        if (unit[i] == generation_end(g)) return true;
    return false;
}

static bool have_all_ended(const Generation *g, int64_t first) {
    int64_t n = 0;
    while (n < g->rows && has_row_ended(g, n, first)) n++;
    return n == g->rows;
}

// A single sequence is printed as it is made, several one after the other.
static void generate_units(Generation *g, const char *prompt, int64_t length) {
    const Options *o = &g->run->options;
    open_sequences(g, prompt, length);
    int64_t first = g->n;
    bool is_source = generation_end(g) >= 0, is_single = g->rows == 1 && !o->beam, is_open = true;
    bool is_first = is_source || !*prompt;
    begin(g);
    if (g->source) machine_run(&g->run->machine, g->source, g->rows);
    for (int64_t at = 0; at + 1 < g->n && length; at++) generation_feed(g, at);
    if (o->beam && length) beam_search(g, length);
    while (!o->beam && is_open && g->n < first + length) {
        generation_feed(g, g->n - 1);
        take_next(g);
        is_open = is_single ? print_units(g, 0, g->n - 1, g->n, is_first && g->n - 1 == first)
                            : !have_all_ended(g, first);
    }
    for (int64_t row = 0; row < (o->beam ? 1 : g->rows); row++) {
        if (row && !is_source) fputs(prompt, stdout);
        if (!is_single) print_units(g, row, first, g->n, is_first);
        putchar('\n');
    }
}

// ---- the whole in one run

// Whose words the classes of the result are, or null.
static const Field *field_of(const Manifest *m, int64_t below) {
    const Field *field = NULL;
    for (int i = 0; i < m->data.n_field; i++) {
        const Field *f = &m->data.field[i];
        if (json_get(f->json, "text") && f->below == below && !(field && is_source(f))) field = f;
    }
    return field;
}

static int64_t largest(const Tensor *t, const char *data, int64_t from, int64_t n) {
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (elem_load(t->elem, data, from + i) > elem_load(t->elem, data, from + best)) best = i;
    return best;
}

// Units, or scores of them, up to the end mark; else numbers.
static void print_result(Generation *g, const Tensor *t, int64_t row) {
    int64_t n = tensor_row_count(t), row_bytes = n * elem_bytes[t->elem];
    const char *data = machine_data(&g->run->machine, t) + row * row_bytes;
    int64_t scores = elem_is_real(t->elem) && t->rank == 3 ? t->dim[2] : 0;
    g->field = field_of(g->run->manifest, scores ? scores : t->below);
    if (!g->field) {
        for (int64_t i = 0; i < n; i++) printf("%s%.9g", i ? "," : "", elem_load(t->elem, data, i));
        n = 0;
    }
    int64_t end = generation_end(g), before = -1, step = scores && g->field ? scores : 1;
    for (int64_t i = 0; i < n; i += step) {
        int64_t unit = step > 1 ? largest(t, data, i, scores) : (int64_t)elem_load(t->elem, data, i);
        if (unit == end) break;
        print_unit(g, before, unit);
        before = unit;
    }
    putchar('\n');
}

static void generate_whole(Generation *g, const char *prompt) {
    if (!give_source(g, prompt) && *prompt)
        fail("--prompt: this program's model takes none: its data have no source");
    begin(g);
    g->run->machine.clock.step = 1;
    give_options(g);
    machine_run(&g->run->machine, g->step, g->rows);
    for (int64_t row = 0; row < g->rows; row++)
        for (int i = 0; i < g->step->n_result; i++)
            if (g->step->result[i].tensor->by_batch) print_result(g, g->step->result[i].tensor, row);
}

// ---- the command

static const Tensor *result_of(const Entry *e, const char *name) {
    for (int i = 0; i < e->n_result; i++)
        if (strcmp(e->result[i].name, name) == 0) return e->result[i].tensor;
    return NULL;
}

static const Field *fed_field(const Manifest *m) {
    const char *name = json_text_in(m->generate, "field", "");
    for (int i = 0; i < m->data.n_field; i++) {
        const Field *f = &m->data.field[i];
        if (strcmp(f->name, name) == 0 && json_get(f->json, "text")) return f;
    }
    return NULL;
}

static void open_generation(Generation *g, Run *run) {
    const Manifest *m = run->manifest;
    const Options *o = &run->options;
    *g = (Generation){.run = run, .rows = 1};
    g->step = machine_entry(&run->machine, "generate_step");
    g->begin = manifest_entry(m, "generate_begin");
    g->source = manifest_entry(m, "generate_source");
    g->input = manifest_input(g->step, "generate.input");
    g->next = result_of(g->step, "next");
    g->logits = result_of(g->step, "logits");
    g->field = g->next ? fed_field(m) : NULL;
    g->places = g->input ? tensor_row_count(g->input) : 1;
    if (manifest_input(g->step, "generate.pos"))
        g->window = (int64_t)json_number_in(m->generate, "window", 0);
    g->rows = o->beam ? o->beam : o->count;
    if (o->beam && o->count > 1) fail_usage("--beam or --count, not both: a beam has one result");
    if (o->beam && !g->logits)
        fail("--beam %" PRId64 ": a beam needs a model that is fed place by place and gives a score for "
             "each class", o->beam);
    if (g->rows > m->batch)
        fail("--%s %" PRId64 ": expected at most %" PRId64 ", the program's largest batch",
             o->beam ? "beam" : "count", g->rows, m->batch);
}

// Each line of a prompt is a source of its own; a text is one prompt.
static void generate_lines(Generation *g, const char *prompt, int64_t length) {
    bool is_by_line = !g->next || generation_end(g) >= 0;
    do {
        size_t n = is_by_line ? strcspn(prompt, "\n") : strlen(prompt);
        const char *one = mem_text(&g->run->mem, prompt, n);
        if (g->next) generate_units(g, one, length);
        else generate_whole(g, one);
        prompt += n + (prompt[n] == '\n');
    } while (*prompt);
}

int run_generate(Run *run) {
    Generation g;
    const Options *o = &run->options;
    const char *prompt = prompt_of(run);
    open_generation(&g, run);
    run_load_words(run);
    run_load_trained(run);
    if (run->n_member)
        fail("an ensemble of %d members: generating takes one model, as in --ckpt NAME.ckpt/member-1",
             run->n_member);
    if (g.field) need_words(run, g.field);
    generate_lines(&g, prompt, flag_given(o, "length") ? o->length
                               : (int64_t)json_number_in(run->manifest->generate, "length", 500));
    return 0;
}
