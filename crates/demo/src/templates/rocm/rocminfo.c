#include <stdio.h>

extern int hsa_runtime64_check(void);

int main(void) {
    printf("ROCk module is not needed by a demo\n");
    printf("Libraries:               %d\n", hsa_runtime64_check());
    printf("Runtime Version:         %s\n", VERSION);
    printf("*******\nAgent 1\n*******\n");
    printf("  Name:                    %s\n", TARGET);
    printf("  Marketing Name:          Demo Strix Halo\n");
    return 0;
}
