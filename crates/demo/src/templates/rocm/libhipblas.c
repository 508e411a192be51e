extern int rocblas_create_handle(void **handle);
extern int rocblas_destroy_handle(void *handle);
extern int rocblas_sdot(void *handle, int n, const float *x, int incx, const float *y, int incy, float *result);

int hipblasCreate(void **handle) { return rocblas_create_handle(handle); }
int hipblasDestroy(void *handle) { return rocblas_destroy_handle(handle); }
int hipblasSdot(void *handle, int n, const float *x, int incx, const float *y, int incy, float *result) {
    return rocblas_sdot(handle, n, x, incx, y, incy, result);
}
