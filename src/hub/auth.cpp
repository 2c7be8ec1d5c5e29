#include "hub/auth.h"

#include <jwt.h>
#include <nya/expected.h>
#include <nya/json.h>
#include <nyamesh/names.h>

#include "hub/crypto.h"
#include "hub/files.h"
#include "intent/quote.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>

namespace nyamesh::hub {

namespace {

constexpr std::size_t kMaxPatterns = 1'000;
constexpr std::size_t kMinSecretBytes = 32;  // RFC 7518, 3.2: at least as long as the hash

struct FreeJwt {
    void operator()(jwt_t* jwt) const noexcept { jwt_free(jwt); }
    void operator()(char* text) const noexcept { std::free(text); }
};
using JwtPointer = std::unique_ptr<jwt_t, FreeJwt>;
using JwtText = std::unique_ptr<char, FreeJwt>;

std::optional<jwt_alg_t> algorithm_of(std::string_view name) {
    if (name == "HS256") return JWT_ALG_HS256;
    if (name == "RS256") return JWT_ALG_RS256;
    if (name == "ES256") return JWT_ALG_ES256;
    return std::nullopt;
}

const unsigned char* key_bytes(const std::string& key) {
    return reinterpret_cast<const unsigned char*>(key.data());
}

// The key's text from where it is kept, fit for its algorithm.
std::expected<std::string, std::string> load(const HubKey& key) {
    const std::string who = "the key " + quote(key.id);
    if (!algorithm_of(key.algorithm)) {
        return std::unexpected(who + ": the algorithm is HS256, RS256 or ES256, not " + quote(key.algorithm));
    }
    std::string value = key.value;
    if (!key.file.empty()) {
        auto text = read_file(key.file);
        if (!text) return std::unexpected(who + ": " + text.error());
        value = std::move(*text);
        // An editor's last line feed is not part of a secret.
        while (key.algorithm == "HS256" && !value.empty() && (value.back() == '\n' || value.back() == '\r')) {
            value.pop_back();
        }
    }
    if (key.algorithm == "HS256" && value.size() < kMinSecretBytes) {
        return std::unexpected(who + ": a secret for HS256 has at least 32 bytes, this one has " +
                               std::to_string(value.size()));
    }
    // A public key as a shared secret would let everybody who knows it sign: the classic confusion of algorithms.
    const bool is_pem = value.find("-----BEGIN") != std::string::npos;
    if (is_pem != (key.algorithm != "HS256")) {
        return std::unexpected(who + ": " + key.algorithm +
                               (is_pem ? " needs a secret, this is a PEM text" : " needs a key as PEM text"));
    }
    return value;
}

// RFC 4648, 5, without padding.
std::optional<std::string> from_base64url(std::string_view text) {
    std::string out;
    std::uint32_t bits = 0;
    int count = 0;
    for (const char c : text) {
        std::uint32_t digit = 0;
        if (c >= 'A' && c <= 'Z')
            digit = static_cast<std::uint32_t>(c - 'A');
        else if (c >= 'a' && c <= 'z')
            digit = static_cast<std::uint32_t>(c - 'a' + 26);
        else if (c >= '0' && c <= '9')
            digit = static_cast<std::uint32_t>(c - '0' + 52);
        else if (c == '-')
            digit = 62;
        else if (c == '_')
            digit = 63;
        else
            return std::nullopt;
        bits = bits << 6 | digit;
        count += 6;
        if (count >= 8) {
            count -= 8;
            out += static_cast<char>(bits >> count & 0xFF);
        }
    }
    return out;
}

struct TokenHeader {
    std::string algorithm;
    std::string key_id;
};

// What the token says of itself: only used to find the key, which decides.
std::expected<TokenHeader, std::string> read_header(std::string_view token) {
    const auto text = from_base64url(token.substr(0, token.find('.')));
    const auto json = text ? nya::Json::parse(*text) : nya::Json::parse("");
    if (!json || !json->is_object()) return std::unexpected("this is no JSON Web Token");
    const nya::Json& algorithm = (*json)["alg"];
    const nya::Json& id = (*json)["kid"];
    if (!algorithm.is_string()) return std::unexpected("the token names no algorithm");
    if (!id.is_string() && !id.is_null()) return std::unexpected("the token's kid is no text");
    // RFC 7515, 4.1.11: extensions that must be understood, and are not.
    if (!(*json)["crit"].is_null()) return std::unexpected("the token demands extensions (crit)");
    return TokenHeader{algorithm.as_string(), id.is_string() ? id.as_string() : std::string()};
}

std::expected<std::vector<std::string>, std::string> patterns(const nya::Json& json, std::string_view name) {
    if (!json.is_array() || json.size() > kMaxPatterns) {
        return std::unexpected("the token's " + std::string(name) + " is no list of at most 1,000 patterns");
    }
    std::vector<std::string> out;
    for (const nya::Json& item : json.as_array()) {
        if (!item.is_string() || item.as_string().size() > kMaxNameBytes) {
            return std::unexpected("the token's " + std::string(name) + " has an item that is no pattern");
        }
        out.push_back(item.as_string());
    }
    return out;
}

// RFC 7519, 2: NumericDate; fractions are allowed.
std::expected<std::optional<std::int64_t>, std::string> date(const nya::Json& json, std::string_view name) {
    if (json.is_null()) return std::optional<std::int64_t>();
    if (!json.is_number() || !(json.as_number() >= 0 && json.as_number() < 1e15)) {
        return std::unexpected("the token's " + std::string(name) + " is no time");
    }
    return std::optional(static_cast<std::int64_t>(json.as_number()));
}

bool is_meant_for(const nya::Json& audience, const std::string& us) {
    if (audience.is_string()) return audience.as_string() == us;
    if (!audience.is_array()) return false;
    for (const nya::Json& one : audience.as_array()) {
        if (one.is_string() && one.as_string() == us) return true;
    }
    return false;
}

std::expected<Claims, std::string> read_claims(const nya::Json& json) {
    Claims claims;
    if (!json["sub"].is_string() || json["sub"].as_string().empty()) return std::unexpected("the token has no sub");
    claims.subject = json["sub"].as_string();
    claims.names = {claims.subject};
    if (!json["names"].is_null()) claims.names = NYA_TRY(patterns(json["names"], "names"));
    claims.send = {"*"};
    if (!json["send"].is_null()) claims.send = NYA_TRY(patterns(json["send"], "send"));
    claims.expires = NYA_TRY(date(json["exp"], "exp"));
    if (json["once"].is_null()) return claims;
    if (!json["once"].is_bool()) return std::unexpected("the token's once is neither true nor false");
    if (!json["once"].as_bool()) return claims;
    if (!json["jti"].is_string() || json["jti"].as_string().empty() || !claims.expires) {
        return std::unexpected("a token for one connection (once) needs jti and exp");
    }
    claims.once_id = json["jti"].as_string();
    return claims;
}

}  // namespace

bool matches(std::string_view pattern, std::string_view text) noexcept {
    // Greedy with one point to come back to: linear in practice, and never exponential.
    std::size_t p = 0;
    std::size_t t = 0;
    std::size_t star = std::string_view::npos;
    std::size_t retry = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            retry = t;
        } else if (p < pattern.size() && pattern[p] == text[t]) {
            ++p;
            ++t;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++retry;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') ++p;
    return p == pattern.size();
}

bool Claims::may_bind(std::string_view id) const noexcept {
    for (const std::string& pattern : names) {
        if (matches(pattern, id)) return true;
    }
    return false;
}

bool Claims::may_send_to(std::string_view id) const noexcept {
    for (const std::string& pattern : send) {
        if (matches(pattern, id)) return true;
    }
    return false;
}

std::expected<TokenChecker, std::string> TokenChecker::make(const HubAuth& auth) {
    TokenChecker checker;
    checker.audience_ = auth.audience;
    for (const HubKey& key : auth.keys) {
        if (std::ranges::find(checker.keys_, key.id, &Key::id) != checker.keys_.end()) {
            return std::unexpected("two keys are called " + quote(key.id) + "; each needs an id of its own");
        }
        checker.keys_.push_back({key.id, key.algorithm, NYA_TRY(load(key))});
    }
    if (auth.is_required && checker.keys_.empty()) {
        return std::unexpected("authentication is required, and there is no key to check tokens with");
    }
    return checker;
}

const TokenChecker::Key* TokenChecker::find_key(std::string_view id) const noexcept {
    if (id.empty() && keys_.size() == 1) return &keys_.front();
    for (const Key& key : keys_) {
        if (key.id == id) return &key;
    }
    return nullptr;
}

std::expected<Claims, std::string> TokenChecker::check(const std::string& token, std::int64_t now) const {
    if (token.size() > kMaxTokenBytes) return std::unexpected("the token is longer than 8 KiB");
    if (token.find('\0') != std::string::npos) return std::unexpected("this is no JSON Web Token");
    const TokenHeader header = NYA_TRY(read_header(token));
    const Key* key = find_key(header.key_id);
    if (key == nullptr) return std::unexpected("the hub has no key " + quote(header.key_id));
    if (header.algorithm != key->algorithm) {
        return std::unexpected("the token is signed with " + quote(header.algorithm) + ", and that key is for " +
                               key->algorithm);
    }
    jwt_t* decoded = nullptr;
    const int failed = jwt_decode(&decoded, token.c_str(), key_bytes(key->value), static_cast<int>(key->value.size()));
    const JwtPointer jwt(decoded);
    // The library reads the header for itself: what it has found must be what the key is for.
    if (failed != 0 || jwt_get_alg(jwt.get()) != *algorithm_of(key->algorithm)) {
        return std::unexpected("the token's signature is wrong");
    }
    const JwtText text(jwt_get_grants_json(jwt.get(), nullptr));
    const auto json = nya::Json::parse(text ? text.get() : "");
    if (!json || !json->is_object()) return std::unexpected("the token's claims are no JSON object");

    Claims claims = NYA_TRY(read_claims(*json));
    if (claims.expires && *claims.expires <= now) {
        return std::unexpected("the token expired " + std::to_string(now - *claims.expires) + " seconds ago");
    }
    const auto starts = NYA_TRY(date((*json)["nbf"], "nbf"));
    if (starts && *starts > now + kLeeway) {
        return std::unexpected("the token is not valid for another " + std::to_string(*starts - now) + " seconds");
    }
    if (!audience_.empty() && !is_meant_for((*json)["aud"], audience_)) {
        return std::unexpected("the token is not meant for " + quote(audience_) + " (aud)");
    }
    return claims;
}

std::expected<void, std::string> TokenChecker::use(const Claims& claims, std::int64_t now) {
    if (claims.once_id.empty()) return {};
    while (!used_by_end_.empty() && used_by_end_.begin()->first <= now) {
        used_.erase(used_by_end_.begin()->second);
        used_by_end_.erase(used_by_end_.begin());
    }
    if (used_.size() >= kMaxOnceTokens) {
        return std::unexpected("the hub remembers as many tokens for one connection as it can; try again later");
    }
    // Digests: ids may be long, and memory is counted in tokens.
    const Digest digest = sha256(claims.subject + '\0' + claims.once_id);
    std::string id(reinterpret_cast<const char*>(digest.data()), digest.size());
    if (!used_.insert(id).second) return std::unexpected("the token has been used: it is good for one connection");
    used_by_end_.emplace(*claims.expires, std::move(id));
    return {};
}

}  // namespace nyamesh::hub

namespace nyamesh {

std::expected<std::string, std::string> make_token(const HubToken& token, const HubKey& key) {
    const std::string value = NYA_TRY(hub::load(key));
    if (token.subject.empty()) return std::unexpected("a token needs a subject");
    const auto now =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    const auto list = [](const std::vector<std::string>& texts) {
        return nya::Json(nya::Json::Array(texts.begin(), texts.end()));
    };
    nya::Json claims{{"sub", token.subject}, {"iat", now}, {"exp", now + token.lifetime.count()}};
    nya::Json::Object& object = claims.as_object();
    if (!token.names.empty()) object.set("names", list(token.names));
    object.set("send", list(token.send));
    if (token.starts_in.count() != 0) object.set("nbf", now + token.starts_in.count());
    if (!token.audience.empty()) object.set("aud", token.audience);
    if (token.is_for_one_connection) {
        object.set("once", true);
        object.set("jti", hub::hex(hub::random_bytes(16)));
    }
    jwt_t* made = nullptr;
    if (jwt_new(&made) != 0) return std::unexpected("there is no memory for a token");
    const hub::JwtPointer jwt(made);
    if (jwt_add_grants_json(made, claims.dump().c_str()) != 0 ||
        (!key.id.empty() && jwt_add_header(made, "kid", key.id.c_str()) != 0) ||
        jwt_set_alg(made, *hub::algorithm_of(key.algorithm), hub::key_bytes(value), static_cast<int>(value.size())) !=
            0) {
        return std::unexpected("the key " + quote(key.id) + " is not usable for " + key.algorithm);
    }
    const hub::JwtText text(jwt_encode_str(made));
    if (!text) return std::unexpected("the key " + quote(key.id) + " cannot sign: is it a private key?");
    return std::string(text.get());
}

}  // namespace nyamesh
