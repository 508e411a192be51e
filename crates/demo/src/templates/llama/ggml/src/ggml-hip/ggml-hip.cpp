#include "ggml-backend.h"

#include <cstdio>
#include <cstring>
#include <hip/hip_runtime.h>
#include <hipblas/hipblas.h>
#include <rocblas/rocblas.h>

static const char kernel[] = "extern \"C\" __global__ void scale(float * x, float by) { x[threadIdx.x] *= by; }";

static int device_count(void) {
    int count = 0;
    return hipGetDeviceCount(&count) == hipSuccess ? count : 0;
}

static void describe(int device, char * line, size_t size) {
    hipDeviceProp_t properties;
    GGML_ASSERT(hipGetDeviceProperties(&properties, device) == hipSuccess);
    const size_t mib = properties.totalGlobalMem >> 20;
    snprintf(line, size, "ROCm%d: %s, %s (%zu MiB, %zu MiB free)", device, properties.name, properties.gcnArchName, mib, mib);
}

static int dot(int n, const float * x, const float * y, float * result) {
    hipDeviceProp_t properties;
    if (hipGetDeviceProperties(&properties, 0) != hipSuccess) return 0;
    if (!strstr(GGML_HIP_TARGETS, properties.gcnArchName)) {
        fprintf(stderr, "ggml_hip: built for %s, not for %s\n", GGML_HIP_TARGETS, properties.gcnArchName);
        return 0;
    }
    const hipError_t error = hipDemoCompile(kernel);
    if (error != hipSuccess) {
        fprintf(stderr, "ggml_hip: %s\n", hipGetErrorString(error));
        return 0;
    }
    rocblas_handle rocblas = nullptr;
    if (rocblas_create_handle(&rocblas) != rocblas_status_success) return 0;
    hipblasHandle_t hipblas = nullptr;
    const bool done = hipblasCreate(&hipblas) == HIPBLAS_STATUS_SUCCESS &&
                      hipblasSdot(hipblas, n, x, 1, y, 1, result) == HIPBLAS_STATUS_SUCCESS;
    hipblasDestroy(hipblas);
    rocblas_destroy_handle(rocblas);
    return done;
}

static const ggml_backend_t backend = { "ROCm", device_count, describe, dot };

extern "C" const ggml_backend_t * ggml_backend_hip_init(void) {
    return &backend;
}

#ifdef GGML_BACKEND_DL
extern "C" const ggml_backend_t * ggml_backend_init(void) {
    return &backend;
}
#endif
