#include "runtime/input.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

bool path_is_folder(const char *path) {
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

bool path_exists(const char *path) {
    struct stat s;
    return stat(path, &s) == 0;
}

const char *path_base(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

char *input_find(Mem *mem, const char *folder, const char *name) {
    static const char *const ending[] = {"", ".gz"};
    for (int i = 0; i < 2; i++) {
        char *path = *folder ? mem_format(mem, "%s/%s%s", folder, name, ending[i])
                             : mem_format(mem, "%s%s", name, ending[i]);
        if (path_exists(path) && !path_is_folder(path)) return path;
    }
    return NULL;
}

void input_open(Input *in, const char *path) {
    in->path = path;
    in->at = in->filled = 0;
    if (path_is_folder(path)) fail("%s: is a folder, expected a file", path);
    errno = 0;
    in->gz = gzopen(path, "rb");  // reads plain files too
    if (!in->gz) fail("%s: cannot read: %s", path, strerror(errno ? errno : ENOMEM));
    gzbuffer(in->gz, 1 << 17);
}

void input_close(Input *in) {
    gzclose_r(in->gz);
    in->gz = NULL;
}

static _Noreturn void fail_read(Input *in) {
    int error;
    const char *why = gzerror(in->gz, &error);
    if (error == Z_ERRNO) why = strerror(errno);
    if (error == Z_BUF_ERROR) why = "the compressed data end too early";
    const char *colon = strstr(why, ": ");  // zlib puts the path before
    fail("%s: cannot read: %s", in->path, colon ? colon + 2 : why);
}

static size_t read_some(Input *in, void *to, size_t bytes) {
    int n = gzread(in->gz, to, (unsigned)(bytes < 1u << 30 ? bytes : 1u << 30));
    int error = Z_OK;
    if (n == 0) gzerror(in->gz, &error);
    if (n < 0 || error != Z_OK) fail_read(in);
    return (size_t)n;
}

bool input_fill(Input *in) {
    in->at = 0;
    in->filled = read_some(in, in->buffer, sizeof in->buffer);
    return in->filled > 0;
}

size_t input_read(Input *in, void *to, size_t bytes) {
    size_t held = in->filled - in->at, done = held < bytes ? held : bytes;
    memcpy(to, in->buffer + in->at, done);
    in->at += done;
    while (done < bytes) {
        size_t n = read_some(in, (char *)to + done, bytes - done);
        if (n == 0) break;
        done += n;
    }
    return done;
}

char *file_read(const char *path, size_t *bytes) {
    FILE *f = path_is_folder(path) ? NULL : fopen(path, "rb");
    if (!f)
        fail("%s: cannot read: %s", path, path_is_folder(path) ? "is a folder" : strerror(errno));
    char *data = NULL;
    size_t room = 0, n;
    *bytes = 0;
    do {
        if (*bytes == room) {
            room = room ? 2 * room : 1 << 20;
            data = realloc(data, room + 1);
            if (!data) fail_memory((double)room, path);
        }
        n = fread(data + *bytes, 1, room - *bytes, f);
        *bytes += n;
    } while (n > 0);
    if (ferror(f)) fail("%s: cannot read: %s", path, strerror(errno));
    fclose(f);
    data[*bytes] = 0;
    return data;
}
