#include "arg.h"

#include "llama.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

extern const int LLAMA_BUILD_NUMBER;
extern const char * const LLAMA_COMMIT;
extern const char * const LLAMA_COMPILER;
extern const char * const LLAMA_BUILD_TARGET;

using handler_flag = std::function<void(arguments &)>;
using handler_value = std::function<void(arguments &, const std::string &)>;

struct common_arg {
    // Pointers to literals, as in llama.cpp: the names stand in the file of the program.
    std::vector<const char *> args;
    std::string value_hint;
    std::string help;
    handler_flag flag;
    handler_value value;
    std::vector<llama_example> examples;

    common_arg(const std::initializer_list<const char *> & names, std::string help, handler_flag flag)
        : args(names), help(std::move(help)), flag(std::move(flag)) {}
    common_arg(const std::initializer_list<const char *> & names, std::string hint, std::string help, handler_value value)
        : args(names), value_hint(std::move(hint)), help(std::move(help)), value(std::move(value)) {}

    common_arg & set_examples(std::vector<llama_example> only) {
        examples = std::move(only);
        return *this;
    }

    bool is_for(llama_example example) const {
        return examples.empty() || std::count(examples.begin(), examples.end(), example) > 0;
    }

    std::string usage() const {
        std::string line;
        for (const char * name : args) line += std::string(line.empty() ? "" : ", ") + name;
        if (!value_hint.empty()) line += " " + value_hint;
        return line + (line.size() > 37 ? "\n" + std::string(40, ' ') : std::string(40 - line.size(), ' ')) + help;
    }
};

static void print_devices() {
    printf("Available devices:\n");
    for (int i = 0; i < llama_device_count(); i++) {
        char line[512];
        llama_device_describe(i, line, sizeof line);
        printf("  %s\n", line);
    }
}

// The options, in the form that they have in llama.cpp.
static std::vector<common_arg> all_options() {
    std::vector<common_arg> all;
    const auto add_opt = [&](common_arg option) { all.push_back(std::move(option)); };
    add_opt(common_arg(
        {"--version"},
        "show version and build info",
        [](arguments &) {
            fprintf(stderr, "version: %d (%s)\n", LLAMA_BUILD_NUMBER, LLAMA_COMMIT);
            fprintf(stderr, "built with %s for %s\n", LLAMA_COMPILER, LLAMA_BUILD_TARGET);
            exit(0);
        }
    ));
    add_opt(common_arg(
        {"--list-devices"},
        "print list of available devices and exit",
        [](arguments &) {
            print_devices();
            exit(0);
        }
    ));
    add_opt(common_arg(
        {"-m", "--model"}, "FNAME",
        "model path to load",
        [](arguments & params, const std::string & value) { params.model = value; }
    ));
    add_opt(common_arg(
        {"-p", "--prompt"}, "PROMPT",
        "prompt to start generation with",
        [](arguments & params, const std::string & value) { params.prompt = value; }
    ).set_examples({LLAMA_EXAMPLE_BENCH, LLAMA_EXAMPLE_CLI, LLAMA_EXAMPLE_COMPLETION}));
    add_opt(common_arg(
        {"-n", "--predict"}, "N",
        "number of tokens to predict",
        [](arguments & params, const std::string & value) { params.predict = atoi(value.c_str()); }
    ));
    add_opt(common_arg(
        {"-c", "--ctx-size"}, "N",
        "size of the prompt context",
        [](arguments & params, const std::string & value) { params.context = atoi(value.c_str()); }
    ));
    add_opt(common_arg(
        {"-b", "--batch-size"}, "N",
        "logical maximum batch size",
        [](arguments &, const std::string &) {}
    ));
    add_opt(common_arg(
        {"-ub", "--ubatch-size"}, "N",
        "physical maximum batch size",
        [](arguments & params, const std::string & value) { params.ubatch = atoi(value.c_str()); }
    ));
    add_opt(common_arg(
        {"-t", "--threads"}, "N",
        "number of CPU threads",
        [](arguments &, const std::string &) {}
    ));
    add_opt(common_arg(
        {"-np", "--parallel"}, "N",
        "number of server slots",
        [](arguments &, const std::string &) {}
    ).set_examples({LLAMA_EXAMPLE_SERVER}));
    add_opt(common_arg(
        {"-f", "--file"}, "FNAME",
        "a file containing the prompt",
        [](arguments & params, const std::string & value) { params.file = value; }
    ).set_examples({LLAMA_EXAMPLE_PERPLEXITY}));
    add_opt(common_arg(
        {"--chunks"}, "N",
        "max number of chunks to process",
        [](arguments &, const std::string &) {}
    ).set_examples({LLAMA_EXAMPLE_PERPLEXITY}));
@MMAP@@LOAD_MODE@    add_opt(common_arg(
        {"-fa", "--flash-attn"}, "[on|off|auto]",
        "set Flash Attention use",
        [](arguments &, const std::string &) {}
    ));
    add_opt(common_arg(
        {"-ngl", "--gpu-layers", "--n-gpu-layers"}, "N",
        "number of layers to store in VRAM",
        [](arguments &, const std::string &) {}
    ));
    add_opt(common_arg(
        {"--no-display-prompt"},
        "don't print prompt at generation",
        [](arguments & params) { params.echo = false; }
    ).set_examples({LLAMA_EXAMPLE_CLI, LLAMA_EXAMPLE_COMPLETION}));
    add_opt(common_arg(
        {"-o", "--output"}, "FORMAT",
        "output format",
        [](arguments & params, const std::string & value) { params.output = value; }
    ).set_examples({LLAMA_EXAMPLE_BENCH}));
    add_opt(common_arg(
        {"--host"}, "HOST",
        "ip address to listen, or bind to an UNIX socket if the address ends with .sock",
        [](arguments & params, const std::string & value) { params.host = value; }
    ).set_examples({LLAMA_EXAMPLE_SERVER}));
    add_opt(common_arg(
        {"--port"}, "PORT",
        "port to listen",
        [](arguments & params, const std::string & value) { params.port = atoi(value.c_str()); }
    ).set_examples({LLAMA_EXAMPLE_SERVER}));
    return all;
}

arguments parse_arguments(int argc, char ** argv, llama_example example) {
    std::vector<common_arg> known;
    for (const common_arg & option : all_options()) {
        if (option.is_for(example)) known.push_back(option);
    }
    arguments result;
    for (int i = 1; i < argc; i++) {
        const std::string word = argv[i];
        if (word == "-h" || word == "--help") {
            printf("----- common params -----\n\n-h, --help                              print usage and exit\n");
            for (const common_arg & option : known) printf("%s\n", option.usage().c_str());
            exit(0);
        }
        const auto is_it = [&](const common_arg & option) {
            return std::any_of(option.args.begin(), option.args.end(), [&](const char * name) { return word == name; });
        };
        const auto option = std::find_if(known.begin(), known.end(), is_it);
        if (option == known.end()) {
            fprintf(stderr, "error: invalid argument: %s\n", word.c_str());
            exit(1);
        }
        if (option->flag) {
            option->flag(result);
        } else if (++i < argc) {
            option->value(result, argv[i]);
        } else {
            fprintf(stderr, "error: expected value for argument: %s\n", word.c_str());
            exit(1);
        }
    }
    return result;
}
