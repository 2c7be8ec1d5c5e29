// NYA_ASSERT: a broken assumption of ours ends the program, in every build. Never for input.
#pragma once

#include <cstdio>
#include <cstdlib>

#define NYA_ASSERT(condition)                                                                                  \
    do {                                                                                                       \
        if (!(condition)) [[unlikely]] {                                                                       \
            std::fprintf(stderr, "nyamesh: broken assumption at %s:%d: %s\n", __FILE__, __LINE__, #condition); \
            std::abort();                                                                                      \
        }                                                                                                      \
    } while (false)
