// Numbers known when compiled: exact rationals, or doubles where a rational does not fit.
#ifndef NNC_SEMA_NUMBER_H
#define NNC_SEMA_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

typedef struct Number {
    int64_t num, den;  // in lowest terms, den >= 1; den 0: not exact, see real
    double real;
} Number;

Number number_int(int64_t n);
Number number_ratio(int64_t num, int64_t den);  // den != 0
Number number_real(double x);                   // exact where x is an integer that fits

Number number_add(Number a, Number b);
Number number_sub(Number a, Number b);
Number number_mul(Number a, Number b);
Number number_div(Number a, Number b);
Number number_neg(Number a);
Number number_pow(Number a, Number b);  // exact for integer exponents
Number number_floor(Number a);
Number number_mod(Number a, Number b);   // a - b * floor(a / b)
int number_compare(Number a, Number b);  // -1, 0, 1
bool number_is_int(Number a);
double number_value(Number a);

#endif
