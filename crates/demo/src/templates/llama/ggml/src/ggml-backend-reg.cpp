#include "ggml-backend.h"

#include <algorithm>
#include <string>
#include <vector>

#ifdef GGML_BACKEND_DL
#include <cstdio>
#include <dirent.h>
#include <dlfcn.h>
#include <unistd.h>

static std::string program_directory() {
    char path[4096];
    const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0) return ".";
    const std::string program(path, (size_t) length);
    return program.substr(0, program.rfind('/'));
}

// Modules beside the program; of several for the CPU the last by name, and each other kind once.
static void load_from(const std::string & directory, std::vector<const ggml_backend_t *> & found) {
    DIR * entries = opendir(directory.c_str());
    if (!entries) return;
    std::vector<std::string> names;
    while (const dirent * entry = readdir(entries)) {
        const std::string name = entry->d_name;
        const bool is_module = name.rfind("libggml-", 0) == 0 && name.size() > 3 && name.compare(name.size() - 3, 3, ".so") == 0;
        if (is_module && name != "libggml-base.so") names.push_back(name);
    }
    closedir(entries);
    std::sort(names.begin(), names.end());
    for (const std::string & name : names) {
        void * module = dlopen((directory + "/" + name).c_str(), RTLD_NOW | RTLD_LOCAL);
        if (!module) {
            fprintf(stderr, "ggml_backend_load: %s\n", dlerror());
            continue;
        }
        const auto init = (ggml_backend_init_t) dlsym(module, "ggml_backend_init");
        if (init && init()) found.push_back(init());
    }
}
#endif

static const std::vector<const ggml_backend_t *> & backends() {
    static const std::vector<const ggml_backend_t *> all = [] {
        std::vector<const ggml_backend_t *> found;
#ifdef GGML_BACKEND_DL
        load_from(program_directory(), found);
#ifdef GGML_BACKEND_DIR
        load_from(GGML_BACKEND_DIR, found);
#endif
#endif
#ifdef GGML_USE_HIP
        found.push_back(ggml_backend_hip_init());
#endif
#ifdef GGML_USE_CPU
        found.push_back(ggml_backend_cpu_init());
#endif
        return found;
    }();
    return all;
}

int ggml_backend_count(void) {
    return (int) backends().size();
}

const ggml_backend_t * ggml_backend_get(int index) {
    GGML_ASSERT(index >= 0 && index < ggml_backend_count());
    return backends()[(size_t) index];
}
