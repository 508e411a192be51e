#include "arg.h"
#include "http.h"
#include "llama.h"
#include "toy.h"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <thread>

static volatile sig_atomic_t ended = 0;

// What a slot has read.
static std::map<int, std::vector<int>> slots;
static std::mutex slots_mutex;
static std::atomic<int> begun{0}, running{0};

static std::string tokenize(const std::string & body) {
    std::string list;
    for (int token : toy_tokenize(json_string(body, "content"))) list += (list.empty() ? "" : ",") + std::to_string(token);
    return "{\"tokens\":[" + list + "]}";
}

// True if another request is answered at some time while this one is.
static bool is_beside_another() {
    const int own = ++begun;
    const bool at_first = ++running > 1;
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    const bool since = begun != own;
    running--;
    return at_first || since;
}

static bool begins_like_before(int slot, const std::vector<int> & prompt) {
    const std::lock_guard<std::mutex> lock(slots_mutex);
    std::vector<int> & before = slots[slot];
    const bool same = !before.empty() && !prompt.empty() && before[0] == prompt[0];
    before = prompt;
    return same;
}

static std::string complete(const std::string & body, const arguments & given) {
    static std::atomic<int> number{0};
    if (toy_is_wrong("html")) return "<html>not today</html>";
    if (toy_is_wrong("hang-server")) for (;;) pause();
    if (body.find("\"json_schema\"") != std::string::npos) {
        const bool wrong = toy_is_wrong("schema");
        return std::string("{\"content\":\"") + (wrong ? "a llama has four legs" : "{\\\"animal\\\":\\\"llama\\\",\\\"legs\\\":4,\\\"tame\\\":true}") + "\"}";
    }
    const std::vector<int> prompt = json_integers(body, "prompt");
    uint64_t state = toy_read(prompt, given.ubatch);
    if (json_number(body, "temperature") > 0) {
        const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
        state ^= toy_is_wrong("seed") ? (uint64_t) now : (uint64_t) json_number(body, "seed");
    }
    const bool cached = begins_like_before((int) json_number(body, "id_slot"), prompt)
        && body.find("\"cache_prompt\":true") != std::string::npos;
    bool wrong = toy_is_wrong("cache") && cached;
    wrong |= toy_is_wrong("first") && number++ == 0;
    wrong |= toy_is_wrong("parallel") && is_beside_another();
    if (wrong) state ^= 0x5a5a5a5a5aull;
    std::string content, list;
    for (int i = 0; i < (int) json_number(body, "n_predict"); i++) {
        const double logprob = toy_logprob(state);
        const int token = toy_next(state);
        const auto one = [](int id, double logprob) {
            char text[96];
            snprintf(text, sizeof text, "\"id\":%d,\"token\":\"%s\",\"logprob\":%.4f", id, toy_piece(id).c_str(), logprob);
            return std::string(text);
        };
        content += toy_piece(token);
        list += (list.empty() ? "{" : ",{") + one(token, logprob) + ",\"top_logprobs\":[{" + one(token, logprob) + "},{"
            + one((token + 1) % 4096, logprob - 2.5) + "}]}";
    }
    return "{\"content\":\"" + content + "\",\"completion_probabilities\":[" + list + "]}";
}

#ifndef LLAMA_UI
#define LLAMA_UI "nothing"
#endif

int main(int argc, char ** argv) {
    const arguments given = parse_arguments(argc, argv, LLAMA_EXAMPLE_SERVER);
    if (given.model.empty()) {
        printf("revision %d with %d devices: a demo serves %s\n", llama_revision(), llama_device_count(), LLAMA_UI);
        return 0;
    }
    if (!llama_model_check(given.model.c_str())) {
        fprintf(stderr, "error: failed to load model '%s'\n", given.model.c_str());
        return 1;
    }
    signal(SIGTERM, [](int) { ended = 1; });
    signal(SIGINT, [](int) { ended = 1; });
    signal(SIGPIPE, SIG_IGN);
    const bool served = http_serve(given.host, given.port, ended, [&](const std::string & path, const std::string & body) {
        if (path == "/health") return std::string("{\"status\":\"ok\"}");
        if (path == "/tokenize") return tokenize(body);
        if (path == "/completion") return complete(body, given);
        return std::string();
    });
    if (!served) {
        fprintf(stderr, "error: cannot listen on '%s'\n", given.host.c_str());
        return 1;
    }
    if (toy_is_wrong("crash-server")) abort();
    // Threads may still wait for their clients.
    _exit(0);
}
