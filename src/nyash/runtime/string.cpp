#include "nyash/runtime/string.h"

#include "nyash/syntax/unicode.h"

namespace nyash {

std::uint64_t hash_text(std::string_view text) noexcept {
    // FNV-1a with a final mix; never 0, which means "not computed yet".
    std::uint64_t h = 0xcbf29ce484222325ULL;
    for (char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    h ^= h >> 32U;
    return h | 1U;
}

std::size_t String::length() const noexcept {
    if (length_ == static_cast<std::size_t>(-1)) length_ = unicode::count(text_);
    return length_;
}

std::size_t String::offset_of(std::size_t index) const noexcept {
    if (index >= length()) return text_.size();
    if (is_ascii()) return index;
    const auto continues = [&](std::size_t at) { return (static_cast<unsigned char>(text_[at]) & 0xC0U) == 0x80U; };
    // From the known place or the front, whichever is nearer.
    std::size_t i = known_index_;
    std::size_t offset = known_offset_;
    if (index < i / 2) i = offset = 0;
    for (; i < index; ++i) {
        do ++offset;
        while (offset < text_.size() && continues(offset));
    }
    for (; i > index; --i) {
        do --offset;
        while (offset > 0 && continues(offset));
    }
    if (offset <= UINT32_MAX) {
        known_index_ = static_cast<std::uint32_t>(i);
        known_offset_ = static_cast<std::uint32_t>(offset);
    }
    return offset;
}

std::uint64_t String::hash() const noexcept {
    if (hash_ == 0) hash_ = hash_text(text_);
    return hash_;
}

bool String::equals(const String& other) const noexcept {
    if (this == &other) return true;
    if (is_interned_ && other.is_interned_) return false;
    return text_ == other.text_;
}

void String::append(std::string_view more) {
    text_ += more;
    length_ = static_cast<std::size_t>(-1);
    hash_ = 0;
}

Name Names::intern(std::string_view text) {
    if (auto found = names_.find(text); found != names_.end()) return found->second.get();
    auto name = make<String>(type_, std::string(text));
    name->is_interned_ = true;
    names_.emplace(name->text(), name);
    return name.get();
}

Name Names::find(std::string_view text) const {
    auto found = names_.find(text);
    return found == names_.end() ? nullptr : found->second.get();
}

}  // namespace nyash
