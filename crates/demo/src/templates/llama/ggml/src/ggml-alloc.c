#define _POSIX_C_SOURCE 200809L
#include "ggml.h"

#include <stdlib.h>

void * ggml_aligned_malloc(size_t size) {
    void * pointer = NULL;
    GGML_ASSERT(size > 0);
    return posix_memalign(&pointer, 64, size) == 0 ? pointer : NULL;
}

void ggml_aligned_free(void * pointer) {
    free(pointer);
}
