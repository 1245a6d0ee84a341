// CSV as RFC 4180 has it: a header, quoted fields with commas, quotes and line ends inside,
// lines that end in LF, CRLF or not at all; a byte order mark is skipped, and so are blank
// lines. Only the columns that a field names are converted; errors name line and column.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/input.h"
#include "runtime/reader.h"

enum { MAX_CELL = 1 << 16, MAX_COLUMNS = 1 << 20 };

typedef struct Csv {
    Input in;
    int64_t line;       // where the next byte stands, from 1
    int64_t cell_line;  // where the last cell began
    bool was_quoted;
    bool ends_row;  // the last cell was its row's last
    Buffer cell;
} Csv;

// Where a cell of the file goes.
typedef struct Target {
    Column *column;
    int64_t element;
    struct Target *next;  // another field that reads the same column
} Target;

typedef struct Header {
    Mem *mem;
    int n;
    char **name;
    Target **target;  // null: ignored
} Header;

static void take_byte(Csv *csv, int c) {
    if (csv->cell.length >= MAX_CELL) {
        fail("%s: line %" PRId64 ": a cell longer than %d bytes%s", csv->in.path, csv->cell_line,
             MAX_CELL, csv->was_quoted ? ", is its closing quote missing?" : "");
    }
    char byte = (char)c;
    buffer_add(&csv->cell, &byte, 1);
}

static void read_quoted(Csv *csv) {
    csv->was_quoted = true;
    for (int c; (c = input_byte(&csv->in)) >= 0;) {
        if (c == '\n') csv->line++;
        if (c == '"') {
            if (input_peek(&csv->in) != '"') return;
            input_byte(&csv->in);
        }
        take_byte(csv, c);
    }
    fail("%s: line %" PRId64 ": the file ends inside a quoted cell that begins here", csv->in.path,
         csv->cell_line);
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

static void trim(Buffer *b) {
    size_t from = 0;
    while (b->length > 0 && is_blank(b->data[b->length - 1])) b->length--;
    while (from < b->length && is_blank(b->data[from])) from++;
    if (b->data) {
        memmove(b->data, b->data + from, b->length - from);
        b->length -= from;
        b->data[b->length] = 0;
    }
}

static void read_cell(Csv *csv) {
    csv->cell.length = 0;
    buffer_extend(&csv->cell, 0);
    csv->cell_line = csv->line;
    csv->was_quoted = false;
    int c = input_byte(&csv->in);
    if (c == '"') {
        read_quoted(csv);
        c = input_byte(&csv->in);
        while (c == ' ' || c == '\t') c = input_byte(&csv->in);
        if (c >= 0 && !strchr(",\r\n", c)) {
            fail("%s: line %" PRId64 ": text after a closing quote, expected a comma", csv->in.path,
                 csv->line);
        }
    }
    for (; c >= 0 && c != ',' && c != '\n' && c != '\r'; c = input_byte(&csv->in)) {
        take_byte(csv, c);
    }
    if (c == '\r' && input_peek(&csv->in) == '\n') c = input_byte(&csv->in);
    csv->ends_row = c != ',';
    if (c == '\n' || c == '\r') csv->line++;
    trim(&csv->cell);
}

// Skips blank lines; false at the end of the file.
static bool begin_row(Csv *csv) {
    for (int c; (c = input_peek(&csv->in)) == '\n' || c == '\r';) {
        input_byte(&csv->in);
        if (c == '\r' && input_peek(&csv->in) == '\n') input_byte(&csv->in);
        csv->line++;
    }
    return input_peek(&csv->in) >= 0;
}

static void skip_byte_order_mark(Csv *csv) {
    if (input_peek(&csv->in) != 0xef) return;
    if (csv->in.filled - csv->in.at >= 3 && memcmp(csv->in.buffer, "\xef\xbb\xbf", 3) == 0) {
        csv->in.at += 3;
    }
}

static Header read_header(Csv *csv, Mem *mem) {
    skip_byte_order_mark(csv);
    if (!begin_row(csv))
        fail("%s: line 1: the file is empty, expected a line of column names", csv->in.path);
    Header h = {.mem = mem};
    int room = 0;
    do {
        read_cell(csv);
        if (h.n == MAX_COLUMNS) fail("%s: line 1: more than %d columns", csv->in.path, MAX_COLUMNS);
        if (h.n == room) {
            char **wider = mem_array(mem, (size_t)(room = room ? 2 * room : 64), sizeof *wider);
            if (h.n) memcpy(wider, h.name, (size_t)h.n * sizeof *wider);
            h.name = wider;
        }
        h.name[h.n++] = mem_text(mem, csv->cell.data, csv->cell.length);
    } while (!csv->ends_row);
    h.target = mem_array(mem, (size_t)h.n, sizeof *h.target);
    return h;
}

static void add_target(Header *h, int i, Column *column, int64_t element) {
    Target *t = mem_get(h->mem, sizeof *t);
    *t = (Target){column, element, h->target[i]};
    h->target[i] = t;
}

static int place_of(const Csv *csv, const Header *h, const Column *column, const char *name) {
    int found = -1;
    for (int i = 0; i < h->n; i++) {
        if (strcmp(h->name[i], name) != 0) continue;
        if (found >= 0) {
            fail("%s: line 1: columns %d and %d are both named %s", csv->in.path, found + 1, i + 1,
                 name);
        }
        found = i;
    }
    if (found < 0) {
        fail("%s: line 1: no column %s, expected for %s; the first of %d is %s", csv->in.path, name,
             column->name, h->n, h->name[0]);
    }
    return found;
}

static void aim(const Csv *csv, Header *h, Column *column) {
    const Field *f = column->field;
    int64_t element = 0, want = tensor_row_count(column->tensor);
    for (int k = 0; k < f->n_column; k++) {
        int from = place_of(csv, h, column, f->column[k]);
        int to = f->until && f->until[k] ? place_of(csv, h, column, f->until[k]) : from;
        for (int i = from; i <= to; i++, element++) {
            if (element < want) add_target(h, i, column, element);
        }
    }
    if (element != want) {
        fail("%s: line 1: %" PRId64 " columns for %s, expected %" PRId64, csv->in.path, element,
             column->name, want);
    }
}

// A column whose field names none takes all of the file's, in their order.
static void aim_all(const Csv *csv, Header *h, Column *column) {
    int64_t want = tensor_row_count(column->tensor);
    if (h->n != want) {
        fail("%s: line 1: %d columns, expected %" PRId64 " for %s", csv->in.path, h->n, want,
             column->name);
    }
    for (int i = 0; i < h->n; i++) add_target(h, i, column, i);
}

static bool is_missing(const char *text) {
    static const char *const word[] = {"", "?", "-", "NA", "N/A", "NULL", "None", "missing"};
    for (size_t i = 0; i < sizeof word / sizeof *word; i++) {
        if (strcasecmp(text, word[i]) == 0) return true;
    }
    return false;
}

static _Noreturn void refuse(const Csv *csv, const char *column, const char *expected) {
    int length = (int)(csv->cell.length < 40 ? csv->cell.length : 40);
    for (int i = 0; i < length; i++) {
        if ((unsigned char)csv->cell.data[i] < 0x20) csv->cell.data[i] = ' ';
    }
    const char *found = csv->cell.length ? csv->cell.data : "";
    if (is_missing(found)) {
        fail("%s: line %" PRId64 ", column %s: missing value%s%s%s, expected %s", csv->in.path,
             csv->cell_line, column, *found ? " (" : "", found, *found ? ")" : "", expected);
    }
    fail("%s: line %" PRId64 ", column %s: found %.*s, expected %s", csv->in.path, csv->cell_line,
         column, length, found, expected);
}

// Decimal numbers; NaN, infinities and hexadecimal are refused.
static double read_number(const Csv *csv, const char *column) {
    const char *text = csv->cell.data;
    char *end;
    bool is_decimal = strspn(text, "+-.0123456789eE") == csv->cell.length;
    double x = is_decimal ? strtod(text, &end) : 0;
    if (!is_decimal || end == text || *end) refuse(csv, column, "a finite number");
    return x;
}

static void store_word(const Csv *csv, const Header *h, int i, const Target *to, int64_t row) {
    const char *text = csv->cell.data;
    const char *expected =
        is_missing(text) ? "a word" : nn_words_store(to->column, row, text, h->mem);
    if (expected) refuse(csv, h->name[i], expected);
}

static void store_cell(const Csv *csv, const Header *h, int i, int64_t row) {
    if (!h->target[i]) return;
    bool is_number = false;
    double x = 0;
    for (const Target *to = h->target[i]; to; to = to->next) {
        if (to->column->words) {
            store_word(csv, h, i, to, row);
            continue;
        }
        if (!is_number) x = read_number(csv, h->name[i]);
        is_number = true;
        char text[64];
        Elem e = to->column->tensor->elem;
        const char *expected = elem_refusal(e, to->column->below, x, text);
        if (expected) refuse(csv, h->name[i], expected);
        elem_store(e, to->column->data + row * to->column->row_bytes, to->element, x);
    }
}

static void read_row(Csv *csv, const Header *h, int64_t row) {
    int64_t line = csv->line;
    int n = 0;
    do {
        read_cell(csv);
        if (n < h->n) store_cell(csv, h, n, row);
        n++;
    } while (!csv->ends_row && n <= MAX_COLUMNS);
    if (n != h->n) {
        fail("%s: line %" PRId64 ": %d cells, expected %d as in the header", csv->in.path, line, n,
             h->n);
    }
}

void csv_read(Dataset *d, const char *path) {
    Mem mem = {0};
    Csv *csv = mem_get(&mem, sizeof *csv);
    csv->line = 1;
    input_open(&csv->in, path);
    Header h = read_header(csv, &mem);
    for (int c = 0; c < d->n; c++) {
        const Field *f = d->column[c].field;
        if (!f || f->n_column == 0) {
            aim_all(csv, &h, &d->column[c]);
            continue;
        }
        aim(csv, &h, &d->column[c]);
    }
    while (begin_row(csv)) {
        if (d->rows == d->room) dataset_reserve(d, d->room ? 2 * d->room : 1024);
        read_row(csv, &h, d->rows);
        d->rows++;
    }
    if (d->rows == 0) fail("%s: line 2: no row below the column names", path);
    input_close(&csv->in);
    buffer_free(&csv->cell);
    mem_free(&mem);
}

static const char *find(Mem *mem, const char *path) {
    return input_find(mem, "", path);
}

static void read(Data *d, Mem *mem, const DataBlock *block, const char *path) {
    (void)mem, (void)block;
    csv_read(&d->pool, path);
}

static bool knows(const char *path, const unsigned char start[8]) {
    (void)path, (void)start;
    return true;
}

static void rows(Dataset *d, Mem *mem, const char *path) {
    (void)mem;
    csv_read(d, path);
}

const Reader nn_reader_csv = {"csv", "a CSV file", find, read, knows, rows};
