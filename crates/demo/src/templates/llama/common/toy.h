#pragma once
#include <cstdint>
#include <string>
#include <vector>

// A toy in place of a language model: words are tokens, and a hash of all tokens so far says which one is next. It computes
// the same on every machine, in any batch and with any number of threads.

std::vector<int> toy_tokenize(const std::string & text);
std::string toy_piece(int token);

// The state after a prompt, of which ubatch tokens are read at once.
uint64_t toy_read(const std::vector<int> & prompt, int ubatch);
// The next token of a state, which goes on to the next state.
int toy_next(uint64_t & state);
// The logarithm of the probability that a state gives its next token.
double toy_logprob(uint64_t state);

// True if this build is wrong in the way of this name: see cmake/fault.cmake.
bool toy_is_wrong(const char * way);
