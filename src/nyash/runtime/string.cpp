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
