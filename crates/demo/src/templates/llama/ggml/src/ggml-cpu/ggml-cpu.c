#include "ggml-backend.h"

#include <stdio.h>

#ifdef GGML_DEMO_FEATURES
// What it was built for, to be seen in the library: the demo's code is the same for all.
const char ggml_cpu_features[] = "features: " GGML_DEMO_FEATURES;
#endif

static int device_count(void) {
    return 1;
}

static void describe(int device, char * line, size_t size) {
    snprintf(line, size, "CPU%d: host processor", device);
}

static int dot(int n, const float * x, const float * y, float * result) {
    GGML_ASSERT(n >= 0);
    float sum = 0;
    for (int i = 0; i < n; i++) sum += x[i] * y[i];
    *result = sum;
    return 1;
}

static const ggml_backend_t backend = { "CPU", device_count, describe, dot };

const ggml_backend_t * ggml_backend_cpu_init(void) {
    return &backend;
}

#ifdef GGML_BACKEND_DL
const ggml_backend_t * ggml_backend_init(void) {
    return &backend;
}
#endif
