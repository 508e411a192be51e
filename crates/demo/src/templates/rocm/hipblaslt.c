#include "beside.h"

int hipblaslt_demo_ready(void) {
    char path[4096];
    /* When the variable is set, the directory of the architecture is not appended. */
    const char *given = getenv("HIPBLASLT_TENSILE_LIBPATH");
    const char *below = "hipblaslt/library/" TARGET "/TensileLibrary_lazy_" TARGET ".dat";
    if (given) snprintf(path, sizeof path, "%s/TensileLibrary_lazy_%s.dat", given, TARGET);
    else if (!beside(path, sizeof path, (const void *)hipblaslt_demo_ready, below)) return 0;
    if (is_there(path)) return 1;
    fprintf(stderr, "hipBLASLt error: Cannot read %s\n", path);
    return 0;
}
