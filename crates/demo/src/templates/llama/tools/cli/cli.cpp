#include "arg.h"
#include "llama.h"
#include "toy.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

int main(int argc, char ** argv) {
    const arguments given = parse_arguments(argc, argv, LLAMA_EXAMPLE_CLI);
    if (given.model.empty()) {
        fprintf(stderr, "error: no model; use -m\n");
        return 1;
    }
    if (!llama_model_check(given.model.c_str())) {
        fprintf(stderr, "error: failed to load model '%s'\n", given.model.c_str());
        return 1;
    }
    if (given.echo) printf("%s", given.prompt.c_str());
    for (int i = 0; i < given.predict; i++) {
        printf(toy_is_wrong("garbage") ? "@" : " llama");
        // As fast as it says below: whoever looks at it while it runs can see it.
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    printf("\n");
    fflush(stdout);
    if (toy_is_wrong("hang")) for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
    // Real code of every backend, so that it misses what a runtime lost.
    if (llama_bench(stderr) <= 0) return 1;
    fprintf(stderr, "common_perf_print:        load time = %10.2f ms\n", 12.5);
    fprintf(stderr, "common_perf_print: prompt eval time = %10.2f ms / %5d tokens ( 0.50 ms per token, 2000.00 tokens per second)\n", 6.0, 12);
    fprintf(stderr, "common_perf_print:        eval time = %10.2f ms / %5d runs   ( 5.00 ms per token,  200.00 tokens per second)\n", 235.0, given.predict);
    if (toy_is_wrong("crash")) abort();
    return 0;
}
