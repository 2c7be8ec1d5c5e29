// Trace: what happens in a run, as a hash by which two runs can be compared, and for people.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

namespace nyamesh::simulation {

class Trace {
public:
    explicit Trace(bool prints) : prints_(prints) {}

    template <class... Values>
    void note(std::chrono::steady_clock::time_point now, const char* what, std::string_view text, Values... values) {
        mix(static_cast<std::uint64_t>(now.time_since_epoch().count()));
        std::size_t i = 0;
        for (; i + 8 <= text.size(); i += 8) {
            std::uint64_t word;
            std::memcpy(&word, text.data() + i, 8);
            mix(word);
        }
        for (; i < text.size(); ++i) mix(static_cast<unsigned char>(text[i]));
        (mix(static_cast<std::uint64_t>(values)), ...);
        if (!prints_) return;
        const double seconds = std::chrono::duration<double>(now.time_since_epoch() - std::chrono::hours(1)).count();
        std::string line;
        ((line += ' ', line += std::to_string(values)), ...);
        std::string printed(text.substr(0, 400));
        std::replace(printed.begin(), printed.end(), '\n', ' ');
        std::printf("%12.6f %-10s %s%s\n", seconds, what, printed.c_str(), line.c_str());
    }
    void mix(std::uint64_t value) noexcept {
        hash_ = (hash_ ^ value) * 0x100000001b3;
        hash_ ^= hash_ >> 29;
    }
    bool prints() const noexcept { return prints_; }
    std::uint64_t hash() const noexcept { return hash_; }

private:
    const bool prints_;
    std::uint64_t hash_ = 0xcbf29ce484222325;
};

}  // namespace nyamesh::simulation
