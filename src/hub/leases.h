// Leases: papers that say who held a name. The hub signs them, the nodes keep them, so a hub that has forgotten
// everything in a restart still knows whose a name was.
//
//     epoch.instance.signature, in hex: HMAC-SHA256 by the hub's own key over name, owner, instance and epoch
//
// A lease proves something only together with the same owner (the name's key, or the token's subject).
#pragma once

#include "hub/crypto.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nyamesh::hub {

// Who owns a name: the digest of its key, or of the token's subject; all zeros: nobody in particular.
using Owner = Digest;

class Leases {
public:
    Leases(std::string key, std::uint64_t epoch) : key_(std::move(key)), epoch_(epoch) {}

    struct Facts {
        std::string_view name;
        const Owner& owner;
        std::uint64_t instance;
    };
    std::string write(const Facts& facts) const;

    struct Lease {
        std::uint64_t epoch = 0;
        std::uint64_t instance = 0;
    };
    // What the text says, if this hub has written it for that name and owner.
    std::optional<Lease> read(std::string_view text, std::string_view name, const Owner& owner) const;

private:
    std::string sign(const Facts& facts, std::uint64_t epoch) const;

    std::string key_;
    std::uint64_t epoch_;
};

}  // namespace nyamesh::hub
