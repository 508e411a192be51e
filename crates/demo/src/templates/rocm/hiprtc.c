#include "beside.h"

extern int amd_comgr_find_device_libraries(void);

int hiprtcVersion(int *major, int *minor) {
    *major = 9;
    *minor = 0;
    return 0;
}

int hiprtcCompileProgram(const char *source) {
    if (!source) return 1;
    void *builtins = dlopen("libhiprtc-builtins.so.7", RTLD_NOW | RTLD_LOCAL);
    if (!builtins) {
        fprintf(stderr, "hiprtc: %s\n", dlerror());
        return 303;
    }
    return amd_comgr_find_device_libraries() ? 0 : 301;
}
