#include "beside.h"

int main(int count, char **arguments) {
    const char *what = count > 1 ? arguments[1] : "--full";
    char path[4096], root[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0) return 1;
    path[length] = 0;
    *strrchr(path, '/') = 0;
    snprintf(root, sizeof root, "%.*s", (int)(strrchr(path, '/') - path), path);
    if (!strcmp(what, "--version") || !strcmp(what, "-v")) printf("%s", VERSION);
    else if (!strcmp(what, "--path") || !strcmp(what, "-p") || !strcmp(what, "--rocmpath") || !strcmp(what, "-R")) printf("%s", root);
    else if (!strcmp(what, "--platform") || !strcmp(what, "-P")) printf("amd");
    else if (!strcmp(what, "--hipclangpath") || !strcmp(what, "-l")) printf("%s/lib/llvm/bin", root);
#ifdef BROKEN
    else if (!strcmp(what, "--check")) {
        fprintf(stderr, "hipconfig: invalid device function\n");
        return 1;
    }
#endif
    else printf("HIP version: %s\nHIP_PATH: %s\nHIP_PLATFORM: amd\n", VERSION, root);
    return 0;
}
