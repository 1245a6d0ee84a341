#include "ir/read.h"

#include "grammar/ir.l.h"
#include "grammar/ir.y.h"
#include "ir/reader.h"

Module *read_module(Compiler *c, int file) {
    const Source *source = source_of(c->sources, file);
    Reader r = {.c = c, .arena = c->arena, .file = file};
    yyscan_t scanner;
    int errors = diag_errors(c->diags);
    ir_lex_init(&scanner);
    ir__scan_bytes(source->text, source->length, scanner);
    bool is_read = ir_parse(&r, scanner) == 0;
    ir_lex_destroy(scanner);
    return is_read && diag_errors(c->diags) == errors ? r.m : NULL;
}
