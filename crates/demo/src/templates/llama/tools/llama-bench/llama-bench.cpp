#include "arg.h"
#include "llama.h"

#include <cstdlib>

// The speeds are made up, as there is nothing that could be fast.
static void print(const char * separator, int prompt, int generated, double speed) {
    printf("%s  {\"n_prompt\": %d, \"n_gen\": %d, \"backends\": \"demo\", ", separator, prompt, generated);
    printf("\"avg_ts\": %.6f, \"stddev_ts\": 0.500000}", speed);
}

int main(int argc, char ** argv) {
    const arguments given = parse_arguments(argc, argv, LLAMA_EXAMPLE_BENCH);
    if (given.output != "json") return llama_bench(stdout) > 0 ? 0 : 1;
    if (!llama_model_check(given.model.c_str())) {
        fprintf(stderr, "error: failed to load model '%s'\n", given.model.c_str());
        return 1;
    }
    if (llama_bench(stderr) <= 0) return 1;
    print("[\n", atoi(given.prompt.c_str()), 0, 1000);
    print(",\n", 0, given.predict, 100);
    printf("\n]\n");
    return 0;
}
