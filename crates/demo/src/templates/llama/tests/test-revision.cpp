#include "llama.h"

int main() {
    return llama_revision() > 0 ? 0 : 1;
}
