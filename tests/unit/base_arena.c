#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/vec.h"

#include "suite.h"

static Arena *a;
static void setup(void) {
    a = arena_new();
}
static void teardown(void) {
    arena_free(a);
}

// Check makes a system call of every assertion: one for many bytes.
static bool holds_only(const void *p, size_t n, int byte) {
    for (size_t i = 0; i < n; i++)
        if (((const unsigned char *)p)[i] != byte) return false;
    return true;
}

START_TEST(memory_is_zero_and_aligned) {
    for (size_t size = 0; size < 70000; size = size * 2 + 1) {
        char *p = arena_alloc(a, size);
        ck_assert_uint_eq((uintptr_t)p % 16, 0);
        ck_assert(holds_only(p, size, 0));
        memset(p, 7, size);
    }
}
END_TEST

START_TEST(blocks_do_not_overlap) {
    unsigned char *p[300];
    for (int i = 0; i < 300; i++) {
        p[i] = arena_alloc(a, (size_t)i * 37 % 20000 + 1);
        memset(p[i], i & 255, (size_t)i * 37 % 20000 + 1);
    }
    for (int i = 0; i < 300; i++) ck_assert(holds_only(p[i], (size_t)i * 37 % 20000 + 1, i & 255));
}
END_TEST

START_TEST(grow_and_copy_keep_the_bytes) {
    char *p = arena_copy(a, "abc", 4);
    char *q = arena_grow(a, p, 4, 100);
    ck_assert_str_eq(q, "abc");
    ck_assert_int_eq(q[99], 0);
    ck_assert_str_eq(p, "abc");
    ck_assert_ptr_nonnull(arena_copy(a, NULL, 0));
}
END_TEST

START_TEST(printf_has_no_limit) {
    char *s = arena_printf(a, "%*s|", 5000, "x");
    ck_assert_uint_eq(strlen(s), 5001);
    ck_assert_str_eq(s + 4999, "x|");
}
END_TEST

START_TEST(vec_keeps_what_was_pushed) {
    VEC(int) v = {0};
    for (int i = 0; i < 1000; i++) vec_push(a, &v, i * i);
    ck_assert_int_eq(v.n, 1000);
    for (int i = 0; i < 1000; i++) ck_assert_int_eq(v.at[i], i * i);
}
END_TEST

START_TEST(free_takes_null) {
    arena_free(NULL);
}
END_TEST

int main(void) {
    TCase *t = tcase_create("arena");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, memory_is_zero_and_aligned);
    tcase_add_test(t, blocks_do_not_overlap);
    tcase_add_test(t, grow_and_copy_keep_the_bytes);
    tcase_add_test(t, printf_has_no_limit);
    tcase_add_test(t, vec_keeps_what_was_pushed);
    tcase_add_test(t, free_takes_null);
    Suite *s = suite_create("arena");
    suite_add_tcase(s, t);
    return run_suite(s);
}
