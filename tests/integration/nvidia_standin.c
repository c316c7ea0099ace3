/* A stand-in for libnvidia-ml.so.1 and libcuda.so.1, no driver: as many GPUs as STANDIN_GPUS says.
   STANDIN_NVML and STANDIN_CUDA are what the first call of each library returns. */

#include <stdio.h>
#include <stdlib.h>

static int number(const char *variable) {
    const char *text = getenv(variable);
    return text ? atoi(text) : 0;
}

static int put(char *to, unsigned length, const char *text) {
    snprintf(to, length, "%s", text);
    return 0;
}

int nvmlInitWithFlags(unsigned flags) { return number("STANDIN_NVML"); }
int nvmlInit_v2(void) { return number("STANDIN_NVML"); }
int nvmlShutdown(void) { return 0; }
int nvmlSystemGetDriverVersion(char *version, unsigned length) { return put(version, length, "999.1"); }

int nvmlDeviceGetCount_v2(unsigned *count) {
    *count = number("STANDIN_GPUS");
    return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
    *device = (void *)(long)(index + 1);
    return 0;
}

int nvmlDeviceGetName(void *device, char *name, unsigned length) { return put(name, length, "Stand-in GPU"); }

int nvmlDeviceGetUUID(void *device, char *uuid, unsigned length) {
    char text[32];
    snprintf(text, sizeof text, "GPU-standin-%ld", (long)device - 1);
    return put(uuid, length, text);
}

int cuInit(unsigned flags) { return number("STANDIN_CUDA"); }

int cuGetErrorName(int code, const char **name) {
    if (code != 100)
        return 1;
    *name = "CUDA_ERROR_NO_DEVICE";
    return 0;
}
