// The first steps on a GPU, without a model: allocate, set, copy there and back, compare. Prints one line for the step that
// fails, and ends with exit code 1.
#include <hip/hip_runtime_api.h>
#include <cstdio>
#include <cstdlib>
#include <vector>

static void demand(hipError_t error, const char * step) {
    if (error == hipSuccess) return;
    printf("%s failed: %s (%d), %s\n", step, hipGetErrorName(error), (int) error, hipGetErrorString(error));
    exit(1);
}

int main() {
    int count = 0;
    demand(hipGetDeviceCount(&count), "listing the GPUs");
    if (count < 1) {
        printf("the runtime lists no GPU\n");
        return 1;
    }
    hipDeviceProp_t properties;
    demand(hipGetDeviceProperties(&properties, 0), "reading the properties of the GPU");
    demand(hipSetDevice(0), "choosing the GPU");
    // 64 MB: more than one page table, and small for every memory split.
    const size_t size = 64u << 20;
    std::vector<unsigned char> there(size), back(size, 0);
    for (size_t i = 0; i < size; i++) there[i] = (unsigned char) (i * 131 + (i >> 12));
    unsigned char * memory = nullptr;
    demand(hipMalloc((void **) &memory, size), "allocating 64 MB");
    demand(hipMemset(memory, 0xa5, size), "setting memory");
    demand(hipDeviceSynchronize(), "waiting for the GPU");
    demand(hipMemcpy(back.data(), memory, size, hipMemcpyDeviceToHost), "the first copy from the GPU");
    for (size_t i = 0; i < size; i++) {
        if (back[i] == 0xa5) continue;
        printf("memory that was set reads back wrong at byte %zu: %02x in place of a5\n", i, back[i]);
        return 1;
    }
    demand(hipMemcpy(memory, there.data(), size, hipMemcpyHostToDevice), "the first copy to the GPU");
    demand(hipMemcpy(back.data(), memory, size, hipMemcpyDeviceToHost), "a copy from the GPU");
    for (size_t i = 0; i < size; i++) {
        if (back[i] == there[i]) continue;
        printf("a copy comes back wrong at byte %zu: %02x in place of %02x\n", i, back[i], there[i]);
        return 1;
    }
    demand(hipFree(memory), "freeing memory");
    printf("%s (%s): allocated, set and copied 64 MB there and back\n", properties.name, properties.gcnArchName);
    return 0;
}
