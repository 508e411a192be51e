/* Finding files relative to the library that asks, as the ROCm libraries do. */
#ifndef BESIDE_H
#define BESIDE_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Writes the path of `name`, seen from the directory of the library that holds `function`. */
static inline int beside(char *out, size_t size, const void *function, const char *name) {
    Dl_info info;
    if (!dladdr(function, &info) || !info.dli_fname) return 0;
    const char *slash = strrchr(info.dli_fname, '/');
    int length = slash ? (int)(slash - info.dli_fname) : 1;
    return snprintf(out, size, "%.*s/%s", length, slash ? info.dli_fname : ".", name) < (int)size;
}

static inline int is_there(const char *path) { return access(path, R_OK) == 0; }
#endif
