#include "arg.h"
#include "llama.h"

#include <cstdio>

int main(int argc, char ** argv) {
    parse_arguments(argc, argv, LLAMA_EXAMPLE_SERVER);
    printf("revision %d with %d devices: a demo serves nothing\n", llama_revision(), llama_device_count());
    return 0;
}
