// The little cryptography the hub needs: digests of secrets, signatures of leases, keys of its own. OpenSSL's door.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace nyamesh::hub {

using Digest = std::array<std::uint8_t, 32>;

Digest sha256(std::string_view bytes);
Digest hmac_sha256(std::string_view key, std::string_view bytes);
// From the operating system, fit for keys.
std::string random_bytes(std::size_t count);
// In a time that says nothing about where they differ.
bool equals_secretly(std::string_view a, std::string_view b);

std::string hex(std::string_view bytes);

}  // namespace nyamesh::hub
