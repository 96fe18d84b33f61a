#pragma once
#include <stddef.h>
#include <stdint.h>

// libFuzzer without its main. Source: <https://llvm.org/docs/LibFuzzer.html#using-libfuzzer-as-a-library>
int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*one)(const uint8_t *data, size_t size));
