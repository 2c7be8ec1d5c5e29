// Source: one file's text, and the way from a byte offset to the line and column people speak of.
//
// Everything after the lexer remembers where it came from as a Span (offset, length in bytes). Only a
// diagnostic turns it into line and column, so the common case carries eight bytes and no strings.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nyash {

struct Span {
    std::uint32_t offset = 0;
    std::uint32_t length = 0;

    std::uint32_t end() const { return offset + length; }
    // From the start of this to the end of `last`.
    Span to(Span last) const { return {offset, last.end() > offset ? last.end() - offset : length}; }
};

// Both count from 1; a column is a code point, as an editor shows it.
struct Position {
    std::uint32_t line = 1;
    std::uint32_t column = 1;
};

// A source text may be at most this long: offsets then fit 32 bits with room to spare.
inline constexpr std::size_t kMaxSourceBytes = 256U << 20U;

class Source {
public:
    Source(std::string name, std::string text);

    const std::string& name() const { return name_; }
    std::string_view text() const { return text_; }
    std::string_view text(Span span) const { return std::string_view(text_).substr(span.offset, span.length); }

    Position position(std::uint32_t offset) const;
    std::uint32_t line_of(std::uint32_t offset) const;
    // The line without its line end; empty when there is no such line.
    std::string_view line_text(std::uint32_t line) const;
    std::uint32_t line_start(std::uint32_t line) const;

private:
    std::string name_;
    std::string text_;
    std::vector<std::uint32_t> line_starts_;
};

}  // namespace nyash
