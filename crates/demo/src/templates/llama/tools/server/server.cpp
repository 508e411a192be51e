#include "arg.h"
#include "llama.h"

#include <cstdio>

#ifndef LLAMA_UI
#define LLAMA_UI "nothing"
#endif

int main(int argc, char ** argv) {
    parse_arguments(argc, argv, LLAMA_EXAMPLE_SERVER);
    printf("revision %d with %d devices: a demo serves %s\n", llama_revision(), llama_device_count(), LLAMA_UI);
    return 0;
}
