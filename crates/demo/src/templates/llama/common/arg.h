#pragma once
#include <string>
#include <vector>

struct arguments {
    std::string model;
    std::string prompt = "Once upon a time";
    int predict = 8;
    std::string output;
    std::vector<std::string> rest;
};

// Reads the command line; answers --version, --list-devices and --help by itself and ends.
arguments parse_arguments(int argc, char ** argv);
