// Tokens: JSON Web Tokens (RFC 7519) that say who a client is and what it may do. libjwt's door.
//
//     sub    who it is; names bound with the token belong to this subject
//     names  ids it may bind, each a pattern ("bot-*"); absent: just `sub`
//     send   ids it may send to, likewise; absent: all
//     once   true: good for one connection; needs `jti` and `exp`
//     exp    the connection ends then, unless a fresh token comes first; nbf, aud as in the RFC
//
// A key has one algorithm, and a token signed with any other is refused, whatever its header says (RFC 8725, 3.1).
#pragma once

#include <nyamesh/hub.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

namespace nyamesh::hub {

// "bot-*", "*", "alice": a star stands for any text.
bool matches(std::string_view pattern, std::string_view text) noexcept;

struct Claims {
    std::string subject;
    std::vector<std::string> names;
    std::vector<std::string> send;
    std::optional<std::int64_t> expires;  // seconds since 1970
    std::string once_id;                  // `jti` of a token that is good for one connection; empty: any number

    bool may_bind(std::string_view id) const noexcept;
    bool may_send_to(std::string_view id) const noexcept;
};

class TokenChecker {
public:
    static constexpr std::size_t kMaxTokenBytes = 8 * 1024;
    static constexpr std::size_t kMaxOnceTokens = 100'000;  // remembered until they expire
    static constexpr std::int64_t kLeeway = 30;             // seconds, for nbf: clocks differ

    // The keys' files are read here. Errors name the key.
    static std::expected<TokenChecker, std::string> make(const HubAuth& auth);

    bool has_keys() const noexcept { return !keys_.empty(); }
    // `now` in seconds since 1970. The error is for people, and says what is wrong with the token.
    std::expected<Claims, std::string> check(const std::string& token, std::int64_t now) const;
    // Of a token that is good once: false if it has been used. After check().
    std::expected<void, std::string> use(const Claims& claims, std::int64_t now);
    // The keys of `other`, and what we remember of used tokens.
    void replace_keys(TokenChecker other) { keys_ = std::move(other.keys_); }

private:
    struct Key {
        std::string id;
        std::string algorithm;
        std::string value;
    };
    const Key* find_key(std::string_view id) const noexcept;

    std::vector<Key> keys_;
    std::string audience_;
    std::multimap<std::int64_t, std::string> used_by_end_;
    std::unordered_set<std::string> used_;
};

}  // namespace nyamesh::hub
