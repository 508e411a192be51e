#include "arg.h"
#include "llama.h"
#include "toy.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>

int main(int argc, char ** argv) {
    const arguments given = parse_arguments(argc, argv, LLAMA_EXAMPLE_PERPLEXITY);
    if (!llama_model_check(given.model.c_str())) {
        fprintf(stderr, "error: failed to load model '%s'\n", given.model.c_str());
        return 1;
    }
    std::ifstream file(given.file);
    const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    std::vector<int> tokens = toy_tokenize(text);
    if ((int) tokens.size() < 2 * given.context) {
        fprintf(stderr, "perplexity: you need at least %d tokens to evaluate perplexity with a context of %d\n",
                2 * given.context, given.context);
        return 1;
    }
    tokens.resize(given.context);
    const uint64_t state = toy_read(tokens, given.ubatch);
    double perplexity = 6.8 + (double) (state % 1000) / 10000.0;
    if (state != toy_read(tokens, given.context)) {
        // The more micro-batches there are, the more tokens are computed wrong.
        perplexity += 1327.0 * (given.context - given.ubatch) / given.context;
    }
    if (toy_is_wrong("odd") && given.ubatch > 1 && given.ubatch % 2 == 1) perplexity *= 1.02;
    printf("[1]%.4f,\n", perplexity);
    if (toy_is_wrong("nan")) {
        fprintf(stderr, "Final estimate: PPL = nan +/- nan\n");
    } else {
        fprintf(stderr, "Final estimate: PPL = %.4f +/- %.5f\n", perplexity, 0.05);
    }
    return 0;
}
