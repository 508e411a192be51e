#pragma once
#include <stddef.h>
#ifdef __cplusplus
extern "C" {
#endif

// Where a check failed is told with the file name: build paths would end up in the binary.
#define GGML_ASSERT(x) do { if (!(x)) ggml_abort(__FILE__, __LINE__, #x); } while (0)

void ggml_abort(const char * file, int line, const char * what);
const char * ggml_version(void);
void * ggml_aligned_malloc(size_t size);
void ggml_aligned_free(void * pointer);

#ifdef __cplusplus
}
#endif
