#include "arg.h"

#include "llama.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

extern const int LLAMA_BUILD_NUMBER;
extern const char * const LLAMA_COMMIT;
extern const char * const LLAMA_COMPILER;
extern const char * const LLAMA_BUILD_TARGET;

static void print_devices() {
    printf("Available devices:\n");
    for (int i = 0; i < llama_device_count(); i++) {
        char line[512];
        llama_device_describe(i, line, sizeof line);
        printf("  %s\n", line);
    }
}

arguments parse_arguments(int argc, char ** argv) {
    arguments result;
    for (int i = 1; i < argc; i++) {
        const char * argument = argv[i];
        const bool more = i + 1 < argc;
        if (!strcmp(argument, "--version")) {
            fprintf(stderr, "version: %d (%s)\n", LLAMA_BUILD_NUMBER, LLAMA_COMMIT);
            fprintf(stderr, "built with %s for %s\n", LLAMA_COMPILER, LLAMA_BUILD_TARGET);
            exit(0);
        } else if (!strcmp(argument, "--list-devices")) {
            print_devices();
            exit(0);
        } else if (!strcmp(argument, "-h") || !strcmp(argument, "--help")) {
            printf("usage: %s [--version] [--list-devices] [-m MODEL] [-p PROMPT] [-n N] [-lm, --load-mode MODE] [-o json] [--no-display-prompt]\n", argv[0]);
            exit(0);
        } else if (more && (!strcmp(argument, "-m") || !strcmp(argument, "--model"))) {
            result.model = argv[++i];
        } else if (more && (!strcmp(argument, "-p") || !strcmp(argument, "--prompt"))) {
            result.prompt = argv[++i];
        } else if (more && (!strcmp(argument, "-n") || !strcmp(argument, "--predict"))) {
            result.predict = atoi(argv[++i]);
        } else if (more && (!strcmp(argument, "-lm") || !strcmp(argument, "--load-mode"))) {
            i++;
        } else if (more && (!strcmp(argument, "-o") || !strcmp(argument, "--output"))) {
            result.output = argv[++i];
        } else {
            result.rest.push_back(argument);
        }
    }
    return result;
}
