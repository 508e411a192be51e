#include "beside.h"

extern int hipblaslt_demo_ready(void);

/* Where the GPU code is: MessagePack {"kernel_name": ..., "kpack_search_paths": [...]}. */
__attribute__((section(".rocm_kpack_ref"), used)) const unsigned char rocblas_kpack_ref[] =
    "\x82\xabkernel_name\xafrocblas_kernels\xb2kpack_search_paths\x91\xd9\x22../.kpack/blas_lib_@GFXARCH@.kpack";

/* What is left of the GPU code in the library itself: an address without bytes. */
__asm__(".section .hip_fatbin,\"a\",@nobits\n.balign 4096\n.zero 4096\n.text\n");

static int found(const char *name, const char *given) {
    char path[4096];
    if (given) snprintf(path, sizeof path, "%s/%s", given, name);
    else {
        char below[512];
        snprintf(below, sizeof below, "rocblas/library/%s", name);
        if (!beside(path, sizeof path, (const void *)found, below)) return 0;
    }
    if (is_there(path)) return 1;
    fprintf(stderr, "rocBLAS error: Cannot read %s: No such file or directory for GPU arch : " TARGET "\n", path);
    return 0;
}

static int kpack_found(void) {
    const char *pattern = strstr((const char *)rocblas_kpack_ref, "../");
    const char *marker = strstr(pattern, "@GFXARCH@");
    char name[512], path[4096];
    snprintf(name, sizeof name, "%.*s%s%s", (int)(marker - pattern), pattern, TARGET, marker + strlen("@GFXARCH@"));
    if (beside(path, sizeof path, (const void *)kpack_found, name) && is_there(path)) return 1;
    fprintf(stderr, "kpack: no archive %s: kernel launch failed\n", path);
    return 0;
}

int rocblas_create_handle(void **handle) {
    const char *given = getenv("ROCBLAS_TENSILE_LIBPATH");
    static int here;
    *handle = &here;
    return found("TensileLibrary_lazy_" TARGET ".dat", given) && found("Kernels.so-000-" TARGET ".hsaco", given) &&
                   found("TensileLibrary_Type_SS_Contraction_l_Ailk_Bljk_Cijk_Dijk_fallback.dat", given) &&
                   found(TARGET "/TensileLibrary_Type_HH_Contraction_l_Ailk_Bjlk_Cijk_Dijk_" TARGET ".co", given) &&
                   kpack_found() && hipblaslt_demo_ready()
               ? 0
               : 6;
}

int rocblas_destroy_handle(void *handle) { return handle ? 0 : 1; }

int rocblas_sdot(void *handle, int n, const float *x, int incx, const float *y, int incy, float *result) {
    if (!handle) return 6;
#ifdef BROKEN
    fprintf(stderr, "rocBLAS error: kernel launch failed: invalid device function\n");
    return 6;
#endif
    float sum = 0;
    for (int i = 0; i < n; i++) sum += x[i * incx] * y[i * incy];
    *result = sum;
    return 0;
}
