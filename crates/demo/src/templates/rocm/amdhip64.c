#include "beside.h"

typedef struct { char name[256]; char gcnArchName[256]; size_t totalGlobalMem; } properties_t;

int hipGetDeviceCount(int *count) {
    if (!count) return 1;
    *count = 1;
    return 0;
}

int hipGetDeviceProperties(properties_t *properties, int device) {
    if (!properties || device != 0) return 1;
    memset(properties, 0, sizeof *properties);
    strcpy(properties->name, "Demo Strix Halo");
    strcpy(properties->gcnArchName, TARGET);
    properties->totalGlobalMem = (size_t)96 << 30;
    return 0;
}

int hipRuntimeGetVersion(int *version) {
    if (!version) return 1;
    *version = VERSION_NUMBER;
    return 0;
}

int hipDemoCompile(const char *source) {
    /* Opened at run time only: no DT_NEEDED tells of it. */
    void *library = dlopen("libhiprtc.so.7", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        fprintf(stderr, "HIP: %s\n", dlerror());
        return 303;
    }
    int (*compile)(const char *) = (int (*)(const char *))dlsym(library, "hiprtcCompileProgram");
    return compile ? compile(source) : 303;
}

const char *hipGetErrorString(int error) {
    switch (error) {
    case 0: return "no error";
    case 1: return "invalid argument";
    case 301: return "file not found";
    case 303: return "shared object initialization failed";
    default: return "unknown error";
    }
}
