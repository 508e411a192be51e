#include "ggml.h"

#include <stdio.h>
#include <stdlib.h>

void ggml_abort(const char * file, int line, const char * what) {
    fprintf(stderr, "%s:%d: GGML_ASSERT(%s) failed\n", file, line, what);
    abort();
}

const char * ggml_version(void) {
    return "0.9.4";
}
