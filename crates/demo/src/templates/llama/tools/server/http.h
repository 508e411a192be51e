#pragma once
#include <csignal>
#include <functional>
#include <string>
#include <vector>

// Answers requests until `ended`: on a UNIX socket if the host ends with .sock, else on TCP. An empty answer is a 404.
bool http_serve(const std::string & host, int port, const volatile sig_atomic_t & ended,
                const std::function<std::string(const std::string & path, const std::string & body)> & answer);

// Members of a JSON object, as far as a demo needs them: found by their name, wherever it stands.
std::string json_string(const std::string & body, const char * name);
double json_number(const std::string & body, const char * name);
std::vector<int> json_integers(const std::string & body, const char * name);
