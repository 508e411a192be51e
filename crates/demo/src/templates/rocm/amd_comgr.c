#include "beside.h"

int amd_comgr_find_device_libraries(void) {
    char path[4096];
    const char *given = getenv("HIP_DEVICE_LIB_PATH");
    if (given) {
        snprintf(path, sizeof path, "%s/ocml.bc", given);
    } else if (!beside(path, sizeof path, (const void *)amd_comgr_find_device_libraries, "llvm/amdgcn/bitcode/ocml.bc")) {
        return 0;
    }
    if (is_there(path)) return 1;
    fprintf(stderr, "comgr: cannot find ROCm device library %s\n", path);
    return 0;
}
