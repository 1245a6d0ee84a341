#include "emit/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/die.h"

static bool write_all(int fd, const char *data, size_t n) {
    while (n) {
        ssize_t done = write(fd, data, n);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return false;
        data += done;
        n -= (size_t)done;
    }
    return true;
}

static mode_t file_mode(bool is_executable) {
    mode_t mask = umask(0);
    umask(mask);
    return (is_executable ? 0777 : 0666) & ~mask;
}

// A device or a pipe can't be replaced by a file: it is written as it is.
static bool is_special(const char *path) {
    struct stat s;
    return stat(path, &s) == 0 && !S_ISREG(s.st_mode) && !S_ISDIR(s.st_mode);
}

static void write_plain(int fd, const char *path, const void *data, size_t n) {
    if (fd < 0 || !write_all(fd, data, n)) die("cannot write %s: %s", path, strerror(errno));
}

void write_output(const char *path, const void *data, size_t n, bool is_executable) {
    if (!strcmp(path, "-")) {
        write_plain(STDOUT_FILENO, "standard output", data, n);
        return;
    }
    if (is_special(path)) {
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        write_plain(fd, path, data, n);
        if (close(fd)) die("cannot write %s: %s", path, strerror(errno));
        return;
    }
    Arena *arena = arena_new();
    char *temporary = arena_printf(arena, "%s.XXXXXX", path);
    int fd = mkstemp(temporary);
    if (fd < 0) die("cannot write %s: %s", path, strerror(errno));
    bool is_written = write_all(fd, data, n) && fchmod(fd, file_mode(is_executable)) == 0;
    int why = errno;
    if (close(fd) && is_written) is_written = false, why = errno;
    if (is_written && rename(temporary, path)) is_written = false, why = errno;
    if (!is_written) {
        unlink(temporary);
        die("cannot write %s: %s", path, strerror(why));
    }
    arena_free(arena);
}
