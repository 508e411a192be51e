#include "toy.h"

#include <unistd.h>

#include <fstream>
#include <sstream>

static const int VOCABULARY = 4096;
static const char * const WORDS[] = {
    "llama", "wool", "lake", "stone", "road", "snow", "maize", "roof", "river", "bridge", "hill", "night", "year", "rain",
    "market", "shadow",
};

static uint64_t mix(uint64_t state, uint64_t value) {
    state = (state ^ value) * 0x9e3779b97f4a7c15ull;
    return state ^ (state >> 29);
}

std::vector<int> toy_tokenize(const std::string & text) {
    std::vector<int> tokens;
    std::istringstream words(text);
    for (std::string word; words >> word;) {
        uint64_t hash = 0;
        for (unsigned char c : word) hash = mix(hash, c);
        tokens.push_back((int) (hash % VOCABULARY));
    }
    return tokens;
}

std::string toy_piece(int token) {
    return std::string(" ") + WORDS[token % (sizeof WORDS / sizeof *WORDS)];
}

uint64_t toy_read(const std::vector<int> & prompt, int ubatch) {
    uint64_t state = 1;
    for (size_t i = 0; i < prompt.size(); i++) {
        // The second micro-batch does not see what the first one left.
        if (toy_is_wrong("long") && prompt.size() > 2048 && ubatch > 0 && i > 0 && i % ubatch == 0) state = 1;
        state = mix(state, prompt[i]);
    }
    return state;
}

int toy_next(uint64_t & state) {
    const int token = (int) ((state >> 17) % VOCABULARY);
    state = mix(state, token);
    return token;
}

double toy_logprob(uint64_t state) {
    return -(double) (state % 1000) / 1000.0;
}

bool toy_is_wrong(const char * way) {
    static const std::string wrong = [] {
        char path[4096];
        const ssize_t size = readlink("/proc/self/exe", path, sizeof path);
        std::string program(path, size > 0 ? size : 0);
        std::ifstream file(program.substr(0, program.rfind('/') + 1) + "../share/llama/fault");
        std::string word;
        file >> word;
        return word;
    }();
    return wrong == way;
}
