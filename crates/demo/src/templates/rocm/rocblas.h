/* The few rocBLAS functions that the demo upstream has. Not AMD's header. */
#ifndef ROCBLAS_H
#define ROCBLAS_H
#ifdef __cplusplus
extern "C" {
#endif
typedef struct rocblas_demo_handle *rocblas_handle;
typedef enum { rocblas_status_success = 0, rocblas_status_internal_error = 6 } rocblas_status;
rocblas_status rocblas_create_handle(rocblas_handle *handle);
rocblas_status rocblas_destroy_handle(rocblas_handle handle);
rocblas_status rocblas_sdot(rocblas_handle handle, int n, const float *x, int incx, const float *y, int incy, float *result);
#ifdef __cplusplus
}
#endif
#endif
