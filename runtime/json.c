#include "runtime/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 32 };

typedef struct Reader {
    Mem *m;
    const char *start, *at, *end;
    JsonError *error;
} Reader;

static Json *bad(Reader *r, const char *what) {
    *r->error = (JsonError){what, (size_t)(r->at - r->start)};
    return NULL;
}

static void skip_space(Reader *r) {
    while (r->at < r->end && strchr(" \t\r\n", *r->at) && *r->at) r->at++;
}

static bool next_is(Reader *r, char c) {
    skip_space(r);
    if (r->at == r->end || *r->at != c) return false;
    r->at++;
    return true;
}

// Four hexadecimal digits, or -1.
static int read_hex(Reader *r) {
    int value = 0;
    for (int i = 0; i < 4; i++, r->at++) {
        if (r->at == r->end) return -1;
        char c = *r->at;
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) return -1;
        value = value * 16 + digit;
    }
    return value;
}

static char *put_utf8(char *to, uint32_t c) {
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
        *to++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *to++ = (char)(0xe0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    } else {
        *to++ = (char)(0xf0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 0x3f));
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    }
    return to;
}

// After \u: a code point, joining surrogate pairs; 0 where it is none.
static uint32_t read_code_point(Reader *r) {
    int high = read_hex(r);
    if (high <= 0) return 0;
    if (high < 0xd800 || high > 0xdfff) return (uint32_t)high;
    if (high > 0xdbff || r->end - r->at < 6 || r->at[0] != '\\' || r->at[1] != 'u') return 0;
    r->at += 2;
    int low = read_hex(r);
    if (low < 0xdc00 || low > 0xdfff) return 0;
    return 0x10000 + ((uint32_t)(high - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
}

static char *read_escape(Reader *r, char *to) {
    static const char from_letter[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    if (r->at == r->end) return NULL;
    char c = *r->at++;
    for (const char *f = from_letter; *f; f += 2) {
        if (*f == c) {
            *to++ = f[1];
            return to;
        }
    }
    uint32_t point = c == 'u' ? read_code_point(r) : 0;
    return point ? put_utf8(to, point) : NULL;
}

// After the opening quote. An escape is never shorter than what it stands for.
static const char *read_string(Reader *r) {
    const char *end = r->at;
    while (end < r->end && *end != '"') end += *end == '\\' ? 2 : 1;
    if (end >= r->end) return (const char *)bad(r, "string without end");
    char *text = mem_get(r->m, (size_t)(end - r->at) + 1), *to = text;
    while (*r->at != '"') {
        unsigned char c = (unsigned char)*r->at++;
        if (c < 0x20) return (const char *)bad(r, "control character in a string");
        if (c != '\\') {
            *to++ = (char)c;
        } else if (!(to = read_escape(r, to))) {
            return (const char *)bad(r, "bad escape");
        }
        if (r->at >= r->end) return (const char *)bad(r, "string without end");
    }
    r->at++;
    return text;
}

static bool read_number(Reader *r, double *number) {
    char text[64];
    size_t n = 0;
    const char *c = r->at;
    while (c < r->end && n < sizeof text - 1 && *c && strchr("+-.0123456789eE", *c)) {
        text[n++] = *c++;
    }
    text[n] = 0;
    char *stop;
    *number = strtod(text, &stop);
    if (n == 0 || *stop || text[0] == '+') return false;
    r->at = c;
    return true;
}

static Json *read_value(Reader *r, int depth);

static Json *read_members(Reader *r, Json *v, char close, int depth) {
    Json **link = &v->first;
    if (next_is(r, close)) return v;
    do {
        const char *key = NULL;
        if (v->kind == JSON_object) {
            if (!next_is(r, '"')) return bad(r, "expected a key");
            if (!(key = read_string(r))) return NULL;
            if (!next_is(r, ':')) return bad(r, "expected ':'");
        }
        Json *member = read_value(r, depth + 1);
        if (!member) return NULL;
        member->key = key;
        *link = member;
        link = &member->next;
        v->count++;
    } while (next_is(r, ','));
    return next_is(r, close) ? v : bad(r, "expected ',' or the end of a list");
}

static bool skip_word(Reader *r, const char *word) {
    size_t n = strlen(word);
    if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n) != 0) return false;
    r->at += n;
    return true;
}

static Json *read_value(Reader *r, int depth) {
    if (depth > MAX_DEPTH) return bad(r, "nested too deep");
    Json *v = mem_get(r->m, sizeof *v);
    if (next_is(r, '{')) {
        v->kind = JSON_object;
        return read_members(r, v, '}', depth);
    }
    if (next_is(r, '[')) {
        v->kind = JSON_array;
        return read_members(r, v, ']', depth);
    }
    if (next_is(r, '"')) {
        v->kind = JSON_string;
        return (v->text = read_string(r)) ? v : NULL;
    }
    if (skip_word(r, "null")) return v;
    v->kind = skip_word(r, "true") ? JSON_true : skip_word(r, "false") ? JSON_false : JSON_number;
    if (v->kind != JSON_number) return v;
    return read_number(r, &v->number) ? v : bad(r, "expected a value");
}

const Json *json_parse(Mem *m, const char *text, size_t length, JsonError *error) {
    Reader r = {m, text, text, text + length, error};
    Json *v = read_value(&r, 0);
    if (!v) return NULL;
    skip_space(&r);
    return r.at == r.end ? v : bad(&r, "text after the value");
}

const Json *json_get(const Json *object, const char *key) {
    if (!object || object->kind != JSON_object) return NULL;
    for (const Json *member = object->first; member; member = member->next) {
        if (strcmp(member->key, key) == 0) return member;
    }
    return NULL;
}

const char *json_text(const Json *value, const char *otherwise) {
    return value && value->kind == JSON_string ? value->text : otherwise;
}

double json_number(const Json *value, double otherwise) {
    return value && value->kind == JSON_number ? value->number : otherwise;
}

bool json_integer(const Json *value, int64_t *integer) {
    double x = json_number(value, NAN);
    if (!(fabs(x) <= 9007199254740992.0) || x != floor(x)) return false;
    *integer = (int64_t)x;
    return true;
}

int json_count(const Json *list) {
    return list ? list->count : 0;
}

const Json *json_first(const Json *list) {
    return list ? list->first : NULL;
}

const char *json_text_in(const Json *object, const char *key, const char *otherwise) {
    return json_text(json_get(object, key), otherwise);
}

double json_number_in(const Json *object, const char *key, double otherwise) {
    return json_number(json_get(object, key), otherwise);
}

bool json_integer_in(const Json *object, const char *key, int64_t *integer) {
    return json_integer(json_get(object, key), integer);
}

bool json_is_true(const Json *object, const char *key) {
    const Json *value = json_get(object, key);
    return value && value->kind == JSON_true;
}

void json_write_text(Buffer *b, const char *text) {
    buffer_add(b, "\"", 1);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            buffer_format(b, "\\%c", c);
        } else if (c < 0x20) {
            buffer_format(b, "\\u%04x", c);
        } else {
            buffer_add(b, text, 1);
        }
    }
    buffer_add(b, "\"", 1);
}

void json_write_number(Buffer *b, double x) {
    if (!isfinite(x)) {
        buffer_format(b, "null");
        return;
    }
    char text[32];
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtod(text, NULL) == x) break;
    }
    buffer_format(b, "%s", text);
}
