#include "llama.h"

#include "ggml-backend.h"

#include <cstdint>
#include <cstdio>
#include <cstring>

#define LLAMA_REVISION @REVISION@

int llama_revision(void) {
    return LLAMA_REVISION;
}

static bool is_cpu(const ggml_backend_t * backend) {
    return strcmp(backend->name, "CPU") == 0;
}

int llama_device_count(void) {
    int count = 0;
    for (int i = 0; i < ggml_backend_count(); i++) {
        const ggml_backend_t * backend = ggml_backend_get(i);
        if (!is_cpu(backend)) count += backend->device_count();
    }
    return count;
}

void llama_device_describe(int device, char * line, size_t size) {
    for (int i = 0; i < ggml_backend_count(); i++) {
        const ggml_backend_t * backend = ggml_backend_get(i);
        if (is_cpu(backend)) continue;
        if (device < backend->device_count()) {
            backend->describe(device, line, size);
            return;
        }
        device -= backend->device_count();
    }
    GGML_ASSERT(!"no such device");
}

int llama_bench(FILE * out) {
    int able = 0;
    auto * x = (float *) ggml_aligned_malloc(256 * sizeof(float));
    GGML_ASSERT(x);
    for (int i = 0; i < 256; i++) x[i] = (float) i;
    fprintf(out, "| backend | test | result |\n| --- | --- | --- |\n");
    for (int i = 0; i < ggml_backend_count(); i++) {
        const ggml_backend_t * backend = ggml_backend_get(i);
        float result = 0;
        const bool done = backend->dot(256, x, x, &result);
        fprintf(out, "| %s | dot256 | %s%.0f |\n", backend->name, done ? "" : "failed ", result);
        able += done;
    }
    ggml_aligned_free(x);
    return able == ggml_backend_count() ? able : 0;
}

int llama_model_check(const char * path) {
    unsigned char head[8] = {};
    FILE * file = fopen(path, "rb");
    if (!file) return 0;
    const bool read = fread(head, 1, sizeof head, file) == sizeof head;
    fclose(file);
    if (!read || memcmp(head, "GGUF", 4) != 0) return 0;
    return (int) (head[4] | (uint32_t) head[5] << 8);
}
