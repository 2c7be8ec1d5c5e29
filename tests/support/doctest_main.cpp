// The main() of every unit test executable. Its own file, so that doctest's implementation is
// compiled once and not with each test.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
