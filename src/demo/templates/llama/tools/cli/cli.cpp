#include "arguments.h"
#include "llama.h"

#include <cstdio>

int main(int argc, char ** argv) {
    const arguments given = parse_arguments(argc, argv);
    if (given.model.empty()) {
        fprintf(stderr, "error: no model; use -m\n");
        return 1;
    }
    if (!llama_model_check(given.model.c_str())) {
        fprintf(stderr, "error: failed to load model '%s'\n", given.model.c_str());
        return 1;
    }
    printf("%s", given.prompt.c_str());
    for (int i = 0; i < given.predict; i++) printf(" llama");
    printf("\n");
    return 0;
}
