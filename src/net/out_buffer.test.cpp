#include "net/out_buffer.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <thread>

namespace nyamesh::net {

TEST_CASE("what is appended is sent from the front, in any portions") {
    OutBuffer out;
    CHECK(out.empty());
    CHECK(out.view().empty());

    out.append("hello ");
    out.append("");
    out.append("world");
    CHECK(out.size() == 11);
    CHECK(out.view() == "hello world");

    out.consume(6);
    CHECK(out.view() == "world");
    out.consume(5);
    CHECK(out.empty());
}

TEST_CASE("grow gives room that counts as appended") {
    OutBuffer out;
    out.append("a");
    std::memcpy(out.grow(3), "bcd", 3);
    CHECK(out.view() == "abcd");
}

TEST_CASE("an empty buffer holds no memory") {
    OutBuffer out;
    CHECK(out.held_bytes() == 0);
    out.append("hello");
    CHECK(out.held_bytes() >= 5);
    out.consume(5);
    CHECK(out.held_bytes() == 0);

    out.append(std::string(1'000'000, 'x'));
    CHECK(out.held_bytes() >= 1'000'000);
    out.clear();
    CHECK(out.held_bytes() == 0);
    CHECK(out.empty());
}

TEST_CASE("a buffer that is sent as fast as it is filled does not grow") {
    OutBuffer out;
    const std::string message(1'000, 'x');
    out.append(message);
    for (int i = 0; i < 10'000; ++i) {
        out.append(message);
        out.consume(message.size());
    }
    CHECK(out.view() == message);
    CHECK(out.held_bytes() <= 4'096);
}

TEST_CASE("bytes stay in order however the buffer grows, is compacted and reused") {
    std::uint32_t state = 1;
    const auto random = [&](std::uint32_t below) {
        state = state * 1'664'525 + 1'013'904'223;
        return (state >> 8) % below;
    };
    OutBuffer out;
    char written = 0;
    char read = 0;
    for (int i = 0; i < 20'000; ++i) {
        const std::size_t n = random(4) == 0 ? random(20'000) : random(300);
        char* place = out.grow(n);
        for (std::size_t k = 0; k < n; ++k) place[k] = written++;
        const std::size_t taken = out.size() > 100'000 ? out.size() : std::min<std::size_t>(out.size(), random(9'000));
        bool is_right = true;
        for (const char byte : out.view().substr(0, taken)) is_right = is_right && byte == read++;
        REQUIRE(is_right);
        out.consume(taken);
    }
}

TEST_CASE("a buffer may be filled on one thread and emptied on another") {
    for (int i = 0; i < 20; ++i) {
        OutBuffer out;
        std::thread([&] { out.append(std::string(5'000, 'a')); }).join();
        std::thread([&] {
            out.append("b");
            CHECK(out.view().back() == 'b');
            out.clear();
        }).join();
        CHECK(out.empty());
    }
}

}  // namespace nyamesh::net
