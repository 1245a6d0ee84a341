#include "sema/number.h"

#include <math.h>

typedef __int128 Wide;

static Wide gcd(Wide a, Wide b) {
    if (a < 0) a = -a;
    if (b < 0) b = -b;
    while (b) {
        Wide r = a % b;
        a = b;
        b = r;
    }
    return a;
}

// num / den in lowest terms, or a double where it does not fit.
static Number reduced(Wide num, Wide den) {
    if (den < 0) num = -num, den = -den;
    Wide g = gcd(num, den);
    if (g > 1) num /= g, den /= g;
    double real = (double)num / (double)den;
    if (num > INT64_MAX || num < -(Wide)INT64_MAX || den > INT64_MAX) return (Number){.real = real};
    return (Number){(int64_t)num, (int64_t)den, real};
}

Number number_int(int64_t n) {
    return (Number){n, 1, (double)n};
}

Number number_ratio(int64_t num, int64_t den) {
    return reduced(num, den);
}

Number number_real(double x) {
    if (x == floor(x) && fabs(x) < 9e15) return number_int((int64_t)x);
    return (Number){.real = x};
}

static bool both_exact(Number a, Number b) {
    return a.den && b.den;
}

Number number_add(Number a, Number b) {
    if (!both_exact(a, b)) return (Number){.real = a.real + b.real};
    return reduced((Wide)a.num * b.den + (Wide)b.num * a.den, (Wide)a.den * b.den);
}

Number number_neg(Number a) {
    return (Number){-a.num, a.den, -a.real};
}

Number number_sub(Number a, Number b) {
    return number_add(a, number_neg(b));
}

Number number_mul(Number a, Number b) {
    if (!both_exact(a, b)) return (Number){.real = a.real * b.real};
    return reduced((Wide)a.num * b.num, (Wide)a.den * b.den);
}

Number number_div(Number a, Number b) {
    if (!both_exact(a, b) || b.num == 0) return (Number){.real = a.real / b.real};
    return reduced((Wide)a.num * b.den, (Wide)a.den * b.num);
}

Number number_pow(Number a, Number b) {
    if (!both_exact(a, b) || b.den != 1 || b.num > 64 || b.num < -64 || (b.num < 0 && !a.num))
        return number_real(pow(a.real, b.real));
    Number base = b.num < 0 ? number_div(number_int(1), a) : a;
    Number result = number_int(1);
    for (int64_t i = 0; i < (b.num < 0 ? -b.num : b.num); i++) result = number_mul(result, base);
    return result;
}

Number number_floor(Number a) {
    if (!a.den) return number_real(floor(a.real));
    int64_t q = a.num / a.den;
    if (a.num % a.den < 0) q--;
    return number_int(q);
}

Number number_mod(Number a, Number b) {
    return number_sub(a, number_mul(b, number_floor(number_div(a, b))));
}

int number_compare(Number a, Number b) {
    if (both_exact(a, b)) {
        Wide x = (Wide)a.num * b.den, y = (Wide)b.num * a.den;
        return x < y ? -1 : x > y;
    }
    return a.real < b.real ? -1 : a.real > b.real;
}

bool number_is_int(Number a) {
    return a.den == 1;
}

double number_value(Number a) {
    return a.real;
}
