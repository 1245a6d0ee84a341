#include "runtime/tensor.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

const char *const elem_name[N_ELEM] = {"bool", "u8", "i32", "f32", "f64"};
const int elem_bytes[N_ELEM] = {1, 1, 4, 4, 8};

double elem_load(Elem e, const void *at, int64_t i) {
    switch (e) {
        case ELEM_i32: return ((const int32_t *)at)[i];
        case ELEM_f32: return (double)((const float *)at)[i];
        case ELEM_f64: return ((const double *)at)[i];
        default: return ((const uint8_t *)at)[i];
    }
}

void elem_store(Elem e, void *at, int64_t i, double x) {
    switch (e) {
        case ELEM_i32: ((int32_t *)at)[i] = (int32_t)x; break;
        case ELEM_f32: ((float *)at)[i] = (float)x; break;
        case ELEM_f64: ((double *)at)[i] = x; break;
        default: ((uint8_t *)at)[i] = (uint8_t)x; break;
    }
}

const char *elem_refusal(Elem e, int64_t below, double x, char text[64]) {
    if (below > 0) {
        if (x >= 0 && x < (double)below && x == floor(x)) return NULL;
        snprintf(text, 64, "an integer from 0 to %" PRId64, below - 1);
        return text;
    }
    double limit = e == ELEM_f32 ? FLT_MAX : DBL_MAX;
    if (elem_is_real(e)) return fabs(x) <= limit ? NULL : "a finite number";
    double low = e == ELEM_i32 ? INT32_MIN : 0;
    double high = e == ELEM_i32 ? INT32_MAX : e == ELEM_u8 ? 255 : 1;
    if (x >= low && x <= high && x == floor(x)) return NULL;
    snprintf(text, 64, "an integer from %.0f to %.0f", low, high);
    return text;
}

static double half_value(unsigned h) {
    int exponent = h >> 10 & 31, fraction = h & 1023;
    double x = exponent == 0    ? fraction * 0x1p-24
               : exponent == 31 ? (fraction ? __builtin_nan("") : __builtin_inf())
                                : (1024 + fraction) * __builtin_ldexp(1, exponent - 25);
    return h >> 15 ? -x : x;
}

static double float_value(uint64_t bits, int bytes) {
    uint32_t bits32 = (uint32_t)bits;
    float f;
    double d;
    if (bytes == 2) return half_value((unsigned)bits);
    memcpy(&f, &bits32, 4);
    memcpy(&d, &bits, 8);
    return bytes == 4 ? (double)f : d;
}

double stored_value(Stored type, const void *at) {
    const unsigned char *byte = at;
    uint64_t bits = 0;
    int n = type.bytes, unused = 64 - 8 * n;
    for (int i = 0; i < n; i++) bits = bits << 8 | byte[type.is_big_endian ? i : n - 1 - i];
    switch (type.kind) {
        case 'f': return float_value(bits, n);
        case 'h': return float_value(bits << 16, 4);
        case 'i': return (double)((int64_t)(bits << unused) >> unused);
        case 'b': return bits != 0;
        default: return (double)bits;
    }
}
