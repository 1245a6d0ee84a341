#include "base/map.h"
#include "base/name.h"

#include "suite.h"

static Arena *a;
static void setup(void) {
    a = arena_new();
}
static void teardown(void) {
    arena_free(a);
}

START_TEST(empty_map_has_nothing) {
    Map *m = map_new(a);
    ck_assert_ptr_null(map_get(m, m));
    ck_assert(!map_has(m, m));
    ck_assert(!map_has_int(m, 0));
}
END_TEST

START_TEST(insertion_order_is_kept) {
    Map *m = map_new(a);
    int x[1000];
    for (uint64_t i = 0; i < 1000; i++) map_set_int(m, i * 0x9E3779B97F4A7C15u, &x[i]);
    for (uint64_t i = 0; i < 1000; i += 3) map_set_int(m, i * 0x9E3779B97F4A7C15u, &x[0]);
    ck_assert_int_eq(m->n, 1000);
    for (uint64_t i = 0; i < 1000; i++) {
        ck_assert_uint_eq(m->key[i], i * 0x9E3779B97F4A7C15u);
        ck_assert_ptr_eq(m->value[i], i % 3 ? &x[i] : &x[0]);
        ck_assert_ptr_eq(map_get_int(m, m->key[i]), m->value[i]);
    }
}
END_TEST

START_TEST(null_is_a_value_and_zero_a_key) {
    Map *m = map_new(a);
    map_set_int(m, 0, NULL);
    ck_assert(map_has_int(m, 0));
    ck_assert_ptr_null(map_get_int(m, 0));
    map_set(m, a, m);
    ck_assert_ptr_eq(map_get(m, a), m);
}
END_TEST

START_TEST(equal_names_are_one_pointer) {
    Names *names = names_new(a);
    Name first = name(names, "dense");
    for (int i = 0; i < 5000; i++) name(names, arena_printf(a, "n%d", i));
    ck_assert_ptr_eq(name(names, "dense"), first);
    ck_assert_ptr_eq(name_n(names, "dense_layer", 5), first);
    ck_assert_ptr_ne(name(names, "dens"), first);
    ck_assert_str_eq(name(names, "n4321"), "n4321");
    ck_assert_str_eq(name(names, ""), "");
    ck_assert_ptr_eq(name(names, ""), name_n(names, "x", 0));
}
END_TEST

int main(void) {
    TCase *t = tcase_create("map");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, empty_map_has_nothing);
    tcase_add_test(t, insertion_order_is_kept);
    tcase_add_test(t, null_is_a_value_and_zero_a_key);
    tcase_add_test(t, equal_names_are_one_pointer);
    Suite *s = suite_create("map and names");
    suite_add_tcase(s, t);
    return run_suite(s);
}
