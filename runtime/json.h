// JSON: a reader for texts that may be hostile (a checkpoint's header), and a writer.
#ifndef NN_RUNTIME_JSON_H
#define NN_RUNTIME_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/mem.h"

#pragma GCC visibility push(hidden)

typedef enum JsonKind {
    JSON_null,
    JSON_false,
    JSON_true,
    JSON_number,
    JSON_string,
    JSON_array,
    JSON_object,
} JsonKind;

typedef struct Json {
    JsonKind kind;
    int count;         // of an array or an object
    const char *key;   // in an object
    const char *text;  // of a string: without zero bytes inside
    double number;
    struct Json *first, *next;  // children; siblings
} Json;

typedef struct JsonError {
    const char *what;
    size_t at;  // byte
} JsonError;

// The value that `text` holds, or null with the error. Nesting deeper than 32 is an error.
const Json *json_parse(Mem *m, const char *text, size_t length, JsonError *error);

// These accept null and values of another kind, and answer null or `otherwise`.
const Json *json_get(const Json *object, const char *key);
const char *json_text(const Json *value, const char *otherwise);
double json_number(const Json *value, double otherwise);
bool json_integer(const Json *value, int64_t *integer);  // whole and below 2^53
int json_count(const Json *list);
const Json *json_first(const Json *list);
const char *json_text_in(const Json *object, const char *key, const char *otherwise);
double json_number_in(const Json *object, const char *key, double otherwise);
bool json_integer_in(const Json *object, const char *key, int64_t *integer);
bool json_is_true(const Json *object, const char *key);

void json_write_text(Buffer *b, const char *text);  // quoted and escaped
void json_write_number(Buffer *b, double x);        // shortest that reads back; null if not finite

#pragma GCC visibility pop

#endif
