/* The few hipBLAS functions that the demo upstream has. Not AMD's header. */
#ifndef HIPBLAS_H
#define HIPBLAS_H
#ifdef __cplusplus
extern "C" {
#endif
typedef void *hipblasHandle_t;
typedef enum { HIPBLAS_STATUS_SUCCESS = 0, HIPBLAS_STATUS_INTERNAL_ERROR = 6 } hipblasStatus_t;
hipblasStatus_t hipblasCreate(hipblasHandle_t *handle);
hipblasStatus_t hipblasDestroy(hipblasHandle_t handle);
hipblasStatus_t hipblasSdot(hipblasHandle_t handle, int n, const float *x, int incx, const float *y, int incy, float *result);
#ifdef __cplusplus
}
#endif
#endif
