/* The few HIP functions that the demo upstream has. Not AMD's header. */
#ifndef HIP_INCLUDE_HIP_HIP_RUNTIME_H
#define HIP_INCLUDE_HIP_HIP_RUNTIME_H
#include <stddef.h>
#ifdef __cplusplus
extern "C" {
#endif
typedef enum { hipSuccess = 0, hipErrorInvalidValue = 1, hipErrorSharedObjectInitFailed = 303, hipErrorFileNotFound = 301 } hipError_t;
typedef struct {
    char name[256];
    char gcnArchName[256];
    size_t totalGlobalMem;
} hipDeviceProp_t;
hipError_t hipGetDeviceCount(int *count);
hipError_t hipGetDeviceProperties(hipDeviceProp_t *properties, int device);
hipError_t hipRuntimeGetVersion(int *version);
/* Compiles a kernel at run time: needs hiprtc, comgr and the device bitcode. */
hipError_t hipDemoCompile(const char *source);
const char *hipGetErrorString(hipError_t error);
#ifdef __cplusplus
}
#endif
#endif
