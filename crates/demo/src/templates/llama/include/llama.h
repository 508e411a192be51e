#pragma once
#include <stddef.h>
#include <stdio.h>
#ifdef __cplusplus
extern "C" {
#endif

int llama_revision(void);
// Devices other than the CPU.
int llama_device_count(void);
void llama_device_describe(int device, char * line, size_t size);
// One dot product on every backend: the number of backends that could, with a line about each.
int llama_bench(FILE * out);
// Reads the head of a GGUF file; its version, or 0 if it is none.
int llama_model_check(const char * path);

#ifdef __cplusplus
}
#endif
