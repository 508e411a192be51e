#pragma once
#include <string>

// Groups of programs: an option may be for some of them only.
enum llama_example {
    LLAMA_EXAMPLE_COMMON,
    LLAMA_EXAMPLE_BENCH,
    LLAMA_EXAMPLE_CLI,
    LLAMA_EXAMPLE_COMPLETION,
    LLAMA_EXAMPLE_PERPLEXITY,
    LLAMA_EXAMPLE_SERVER,
};

struct arguments {
    std::string model;
    std::string prompt = "Once upon a time";
    int predict = 8;
    std::string output;
    bool echo = true;
    int context = 512;
    int ubatch = 512;
    std::string file;
    std::string host = "127.0.0.1";
    int port = 8080;
};

// Reads the command line; answers --version, --list-devices and --help by itself and ends, and ends at an unknown option.
arguments parse_arguments(int argc, char ** argv, llama_example example);
