#pragma once
#include "ggml.h"
#ifdef __cplusplus
extern "C" {
#endif

// What a backend can do.
typedef struct ggml_backend {
    const char * name;
    int (*device_count)(void);
    // One line about a device.
    void (*describe)(int device, char * line, size_t size);
    // The dot product of two vectors; false when the device cannot.
    int (*dot)(int n, const float * x, const float * y, float * result);
} ggml_backend_t;

// A module exports this.
typedef const ggml_backend_t * (*ggml_backend_init_t)(void);

int ggml_backend_count(void);
const ggml_backend_t * ggml_backend_get(int index);

const ggml_backend_t * ggml_backend_cpu_init(void);
const ggml_backend_t * ggml_backend_hip_init(void);

#ifdef __cplusplus
}
#endif
