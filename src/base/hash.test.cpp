#include "base/hash.h"

#include <doctest/doctest.h>

#include <cstring>
#include <memory>
#include <set>
#include <string>

TEST_CASE("equal bytes hash equally, wherever they lie") {
    for (std::size_t size = 0; size < 100; ++size) {
        std::string text;
        for (std::size_t i = 0; i < size; ++i) text += static_cast<char>('a' + i % 26);
        // Exactly as large as the text, so that a sanitizer sees any read beyond it.
        const auto exact = std::make_unique<char[]>(size);
        std::memcpy(exact.get(), text.data(), size);
        CHECK(nya::hash_bytes({exact.get(), size}) == nya::hash_bytes(text));
    }
}

TEST_CASE("every byte counts, at every length") {
    for (std::size_t size = 1; size < 100; ++size) {
        const std::string text(size, 'x');
        const auto hash = nya::hash_bytes(text);
        for (std::size_t i = 0; i < size; ++i) {
            std::string other = text;
            other[i] ^= 1;
            CHECK(nya::hash_bytes(other) != hash);
        }
    }
}

TEST_CASE("length counts") {
    std::set<std::uint64_t> hashes;
    for (std::size_t size = 0; size < 300; ++size) hashes.insert(nya::hash_bytes(std::string(size, '\0')));
    CHECK(hashes.size() == 300);
}

TEST_CASE("similar names spread over the high bits and the low bits alike") {
    std::set<std::uint64_t> high, low, all;
    for (int i = 0; i < 10'000; ++i) {
        const auto hash = nya::hash_bytes("node-" + std::to_string(i));
        high.insert(hash >> 56);
        low.insert(hash & 0xFF);
        all.insert(hash);
    }
    CHECK(all.size() == 10'000);
    CHECK(high.size() == 256);
    CHECK(low.size() == 256);
}

TEST_CASE("equal_bytes compares every byte, at every length, and none beyond") {
    for (std::size_t size = 0; size < 64; ++size) {
        const auto a = std::make_unique<char[]>(size);
        const auto b = std::make_unique<char[]>(size);
        for (std::size_t i = 0; i < size; ++i) a[i] = b[i] = static_cast<char>(i * 7);
        CHECK(nya::equal_bytes(a.get(), b.get(), size));
        for (std::size_t i = 0; i < size; ++i) {
            b[i] ^= 0x40;
            CHECK_FALSE(nya::equal_bytes(a.get(), b.get(), size));
            b[i] ^= 0x40;
        }
    }
}
