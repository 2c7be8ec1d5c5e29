#include "nyash/syntax/source.h"

#include <algorithm>

#include "nyash/syntax/unicode.h"

namespace nyash {

Source::Source(std::string name, std::string text) : name_(std::move(name)), text_(std::move(text)), line_starts_{0} {
    for (std::size_t i = 0; i < text_.size(); ++i) {
        if (text_[i] == '\n') line_starts_.push_back(static_cast<std::uint32_t>(i + 1));
    }
}

std::uint32_t Source::line_of(std::uint32_t offset) const {
    auto after = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
    return static_cast<std::uint32_t>(after - line_starts_.begin());
}

Position Source::position(std::uint32_t offset) const {
    const std::uint32_t line = line_of(offset);
    const std::uint32_t start = line_starts_[line - 1];
    const auto before = text().substr(start, offset - start);
    return {line, static_cast<std::uint32_t>(unicode::count(before)) + 1};
}

std::uint32_t Source::line_start(std::uint32_t line) const {
    return line >= 1 && line <= line_starts_.size() ? line_starts_[line - 1] : static_cast<std::uint32_t>(text_.size());
}

std::string_view Source::line_text(std::uint32_t line) const {
    if (line == 0 || line > line_starts_.size()) return {};
    auto rest = text().substr(line_starts_[line - 1]);
    rest = rest.substr(0, rest.find('\n'));
    if (rest.ends_with('\r')) rest.remove_suffix(1);
    return rest;
}

}  // namespace nyash
