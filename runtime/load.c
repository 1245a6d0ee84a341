// The `load` entries of a train block: parameters that training takes from files. Linked where there
// are any.
#include "runtime/checkpoint.h"
#include "runtime/input.h"

// Looked for as data are: in the current folder, the program's, its source's.
static const char *find_file(Mem *mem, const Manifest *m, const char *path) {
    const char *root[] = {program_folder(mem), m->source_dir};
    if (path[0] == '/' || path_exists(path)) return path_exists(path) ? path : NULL;
    for (int i = 0; i < 2; i++) {
        const char *at = mem_format(mem, "%s/%s", root[i], path);
        if (*root[i] && path_exists(at)) return at;
    }
    return NULL;
}

static const char *text_of(const Json *entry, const char *key) {
    return json_text_in(entry, key, "");
}

void weights_load_parts(Run *run) {
    const Manifest *m = run->manifest;
    Mem *mem = &run->mem;
    for (const Json *l = json_first(m->load); l; l = l->next) {
        const char *file = text_of(l, "file"), *path = find_file(mem, m, file);
        const char *place =
            mem_format(mem, "%s:%.0f: ", m->source, json_number_in(l, "line", 0));
        if (!path) {
            fail("%sno file %s in the current folder, the program's or its source's", place, file);
        }
        weights_load_part(run, path, &(LoadRule){text_of(l, "path"), text_of(l, "as"), place});
    }
}
