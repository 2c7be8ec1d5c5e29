// KeyedHash: SipHash-1-3, for tables that strangers fill. With a secret key nobody can choose names that collide.
#pragma once

#include <nya/random.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace nyamesh::hub {

class KeyedHash {
public:
    explicit KeyedHash(nya::Random& random) : key0_(random.next()), key1_(random.next()) {}

    std::size_t operator()(std::string_view text) const noexcept {
        State s{key0_ ^ 0x736f6d6570736575, key1_ ^ 0x646f72616e646f6d, key0_ ^ 0x6c7967656e657261,
                key1_ ^ 0x7465646279746573};
        std::size_t left = text.size();
        const char* at = text.data();
        for (; left >= 8; left -= 8, at += 8) s.take(word(at, 8));
        s.take(word(at, left) | static_cast<std::uint64_t>(text.size()) << 56);
        s.v2 ^= 0xff;
        s.round();
        s.round();
        s.round();
        return static_cast<std::size_t>(s.v0 ^ s.v1 ^ s.v2 ^ s.v3);
    }

private:
    struct State {
        std::uint64_t v0, v1, v2, v3;
        void round() noexcept {
            v0 += v1, v1 = std::rotl(v1, 13) ^ v0, v0 = std::rotl(v0, 32);
            v2 += v3, v3 = std::rotl(v3, 16) ^ v2;
            v0 += v3, v3 = std::rotl(v3, 21) ^ v0;
            v2 += v1, v1 = std::rotl(v1, 17) ^ v2, v2 = std::rotl(v2, 32);
        }
        void take(std::uint64_t m) noexcept {
            v3 ^= m;
            round();
            v0 ^= m;
        }
    };
    static std::uint64_t word(const char* at, std::size_t n) noexcept {
        std::uint64_t value = 0;
        if (n != 0) std::memcpy(&value, at, n);
        return value;
    }

    std::uint64_t key0_;
    std::uint64_t key1_;
};

}  // namespace nyamesh::hub
