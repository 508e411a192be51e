#include "arguments.h"
#include "llama.h"

int main(int argc, char ** argv) {
    parse_arguments(argc, argv);
    return llama_bench() > 0 ? 0 : 1;
}
