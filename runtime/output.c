#define _GNU_SOURCE
#include "runtime/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/input.h"

void output_open(Output *o, Mem *mem, const char *path) {
    struct stat s;
    bool is_special = stat(path, &s) == 0 && !S_ISREG(s.st_mode);
    *o = (Output){.path = path};
    if (!is_special) o->temporary = mem_format(mem, "%s.tmp", path);
    int flags = is_special ? O_WRONLY : O_WRONLY | O_CREAT | O_TRUNC;
    o->file = open(is_special ? path : o->temporary, flags | O_CLOEXEC, 0666);
    if (o->file < 0) o->error = errno;
}

void output_write(Output *o, const void *data, size_t bytes) {
    const char *at = data;
    while (bytes > 0 && !o->error) {
        ssize_t n = write(o->file, at, bytes < 1 << 30 ? bytes : 1 << 30);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            o->error = errno;
            return;
        }
        at += n;
        bytes -= (size_t)n;
    }
}

// The rename is on the disk only once its folder is.
static void sync_folder(const char *path) {
    const char *base = path_base(path);
    char folder[4096];
    size_t n = (size_t)(base - path);
    if (n >= sizeof folder) return;
    memcpy(folder, path, n);
    folder[n] = 0;
    int file = open(n ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0) return;
    fsync(file);
    close(file);
}

bool output_close(Output *o) {
    if (o->file < 0) return false;
    if (o->temporary && !o->error && fsync(o->file) < 0) o->error = errno;
    if (close(o->file) < 0 && !o->error) o->error = errno;
    if (o->temporary && !o->error && rename(o->temporary, o->path) < 0) o->error = errno;
    if (o->temporary && o->error) unlink(o->temporary);
    if (o->temporary && !o->error) sync_folder(o->path);
    return !o->error;
}

void output_save(Mem *mem, const char *path, const Buffer *b) {
    Output o;
    output_open(&o, mem, path);
    output_write(&o, b->data, b->length);
    if (!output_close(&o)) fail("%s: cannot write: %s", path, strerror(o.error));
}

void make_folder(Mem *mem, const char *path) {
    char *name = mem_text(mem, path, strlen(path));
    for (char *c = name + 1; *name && *c; c++) {
        if (*c != '/') continue;
        *c = 0;
        mkdir(name, 0777);
        *c = '/';
    }
    if (mkdir(name, 0777) < 0 && errno != EEXIST) {
        fail("%s: cannot make this folder: %s", path, strerror(errno));
    }
    if (!path_is_folder(path)) fail("%s: expected a folder, is a file", path);
}
