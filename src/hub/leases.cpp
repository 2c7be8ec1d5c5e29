#include "hub/leases.h"

#include <charconv>

namespace nyamesh::hub {

namespace {

std::string number_text(std::uint64_t number) {
    char room[17];
    const auto end = std::to_chars(room, room + sizeof room, number, 16).ptr;
    return {room, end};
}

// The hex number up to the next dot, which goes too.
std::optional<std::uint64_t> take_number(std::string_view& text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
    if (error != std::errc() || end == text.data() + text.size() || *end != '.') return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
    return number;
}

}  // namespace

std::string Leases::sign(const Facts& facts, std::uint64_t epoch) const {
    // Numbers and the owner have a fixed or delimited length and come first, so the name cannot imitate them.
    std::string text = "nyamesh lease\n" + number_text(epoch) + "\n" + number_text(facts.instance) + "\n";
    text.append(reinterpret_cast<const char*>(facts.owner.data()), facts.owner.size());
    text += facts.name;
    const Digest signature = hmac_sha256(key_, text);
    return hex({reinterpret_cast<const char*>(signature.data()), signature.size()});
}

std::string Leases::write(const Facts& facts) const {
    return number_text(epoch_) + "." + number_text(facts.instance) + "." + sign(facts, epoch_);
}

std::optional<Leases::Lease> Leases::read(std::string_view text, std::string_view name, const Owner& owner) const {
    const auto epoch = take_number(text);
    const auto instance = epoch ? take_number(text) : std::nullopt;
    if (!instance) return std::nullopt;
    if (!equals_secretly(text, sign({name, owner, *instance}, *epoch))) return std::nullopt;
    return Lease{*epoch, *instance};
}

}  // namespace nyamesh::hub
