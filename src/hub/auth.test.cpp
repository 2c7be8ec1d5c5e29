// Tokens, and what they allow.
#include <doctest/doctest.h>

#include "hub/operator_pages.h"
#include "support/hub_kit.h"

#include <openssl/pem.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

using namespace nyamesh;
using namespace nyamesh::testing;
using namespace std::chrono_literals;

namespace {

HubKey secret() {
    return {.id = "k1", .algorithm = "HS256", .value = "0123456789abcdef0123456789abcdef"};
}

struct AuthWorld : HubWorld {
    AuthWorld() : HubWorld(1, options()) {
        // Tokens are made with the wall clock; the hub's runs on from there.
        const auto begin = world.now();
        const auto wall = std::chrono::system_clock::now().time_since_epoch();
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wall).count();
        settings.unix_time = [this, begin, seconds] {
            return seconds + std::chrono::duration_cast<std::chrono::seconds>(world.now() - begin).count();
        };
        restart();
    }
    static HubOptions options() {
        HubOptions made;
        made.auth.is_required = true;
        made.auth.keys = {secret()};
        return made;
    }
};

// Pairs of keys, as `openssl genpkey` writes them.
class TestKeys {
public:
    TestKeys() {
        write("ec", EVP_EC_gen("P-256"));
        write("rsa", EVP_RSA_gen(2048));
    }
    ~TestKeys() { std::filesystem::remove_all(folder_); }
    std::string file(const std::string& name) const { return folder_ + "/" + name; }

private:
    static std::string make_folder() {
        std::string place = (std::filesystem::temp_directory_path() / "nya-keys-XXXXXX").string();
        return ::mkdtemp(place.data());
    }
    void write(const std::string& name, EVP_PKEY* key) const {
        FILE* out = std::fopen(file(name + ".key").c_str(), "w");
        PEM_write_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
        std::fclose(out);
        out = std::fopen(file(name + ".pub").c_str(), "w");
        PEM_write_PUBKEY(out, key);
        std::fclose(out);
        EVP_PKEY_free(key);
    }
    std::string folder_ = make_folder();
};

std::string read(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::string hello(const std::string& token, std::string_view name = "alice") {
    return R"({"t":"hello","n":")" + std::string(name) + R"(","i":"00000000000000a1","token":")" + token + "\"}";
}

}  // namespace

TEST_CASE("patterns") {
    CHECK(hub::matches("bot-*", "bot-7"));
    CHECK_FALSE(hub::matches("bot-*", "robot-7"));
    CHECK(hub::matches("*", ""));
    CHECK(hub::matches("a*b*c", "axxbyyc"));
    CHECK_FALSE(hub::matches("a*b*c", "axxbyy"));
    CHECK_FALSE(hub::matches("alice", "alice2"));
}

TEST_CASE("a token lets in, and its subject is the name's owner") {
    AuthWorld world;
    const std::string token = make_token({.subject = "alice"}, secret()).value();
    auto alice = world.client();
    alice->say(hello(token));
    REQUIRE(alice->hears(R"({"t":"welcome")"));
    CHECK(alice->last.find(R"("in":3)") != std::string::npos);
    CHECK(alice->hears(R"({"t":"bound","n":"alice")"));
    alice->say(R"({"t":"bind","n":"bob","i":"00000000000000b1"})");
    CHECK(alice->hears(R"({"t":"refused","n":"bob","e":"unauthorized")"));

    auto native = world.client({.authorization = "Bearer " + token});
    native->say(R"({"t":"hello"})");
    CHECK(native->hears(R"({"t":"welcome")"));
}

TEST_CASE("no token, a bad one, one of another algorithm: 4502") {
    AuthWorld world;
    std::string token = make_token({.subject = "alice"}, secret()).value();
    SUBCASE("none") {
        token = "";
    }
    SUBCASE("no token at all") {
        token = "x.y";
    }
    SUBCASE("another signature") {
        HubKey other = secret();
        other.value[0] = 'x';
        token = make_token({.subject = "alice"}, other).value();
    }
    SUBCASE("an unknown key") {
        HubKey other = secret();
        other.id = "k2";
        token = make_token({.subject = "alice"}, other).value();
    }
    SUBCASE("none as the algorithm") {
        token = "eyJhbGciOiJub25lIiwia2lkIjoiazEifQ.eyJzdWIiOiJhbGljZSJ9.";
    }
    SUBCASE("expired") {
        token = make_token({.subject = "alice", .lifetime = -10s}, secret()).value();
    }
    SUBCASE("not yet valid") {
        token = make_token({.subject = "alice", .starts_in = 100s}, secret()).value();
    }
    auto client = world.client();
    client->say(hello(token));
    CHECK(client->hears(R"({"t":"refused","e":"unauthorized")"));
    CHECK(client->closed() == 4502);
    CHECK(world.core->counters().auth_failures == 1);
}

TEST_CASE("ES256 and RS256: the hub has the public key, which signs nothing") {
    const TestKeys keys;
    HubKey signing;
    HubKey checking;
    SUBCASE("ES256") {
        signing = {.id = "k", .algorithm = "ES256", .file = keys.file("ec.key")};
        checking = {.id = "k", .algorithm = "ES256", .file = keys.file("ec.pub")};
    }
    SUBCASE("RS256") {
        signing = {.id = "k", .algorithm = "RS256", .file = keys.file("rsa.key")};
        checking = {.id = "k", .algorithm = "RS256", .file = keys.file("rsa.pub")};
    }
    HubAuth auth;
    auth.keys = {checking};
    const auto checker = hub::TokenChecker::make(auth).value();
    const std::string token = make_token({.subject = "alice", .names = {"bot-*"}}, signing).value();
    const auto claims = checker.check(token, 0);
    REQUIRE(claims);
    CHECK(claims->subject == "alice");
    CHECK(claims->may_bind("bot-7"));
    CHECK_FALSE(claims->may_bind("alice"));

    CHECK_FALSE(checker.check(token.substr(0, token.size() - 8) + "AAAAAAAA", 0));
    CHECK_FALSE(make_token({.subject = "alice"}, checking));
    // The public key taken for a shared secret: refused where keys are read, and where tokens are.
    const std::string public_text = read(checking.file);
    CHECK_FALSE(make_token({.subject = "alice"}, {.id = "k", .algorithm = "HS256", .value = public_text}));
    HubKey hmac = secret();
    hmac.id = "k";
    CHECK_FALSE(checker.check(make_token({.subject = "alice"}, hmac).value(), 0));
}

TEST_CASE("a token for one connection opens one") {
    AuthWorld world;
    const std::string token = make_token({.subject = "alice", .is_for_one_connection = true}, secret()).value();
    auto first = world.client();
    first->say(hello(token));
    CHECK(first->hears(R"({"t":"bound")"));
    auto second = world.client();
    second->say(hello(token));
    CHECK(second->closed() == 4502);
}

TEST_CASE("when the token ends so does the connection, unless a fresh one comes") {
    AuthWorld world;
    auto alice = world.client();
    alice->say(hello(make_token({.subject = "alice", .lifetime = 100s}, secret()).value()));
    REQUIRE(alice->hears(R"({"t":"bound")"));
    CHECK_FALSE(alice->hears(R"({"t":"expiring")", 30s));
    CHECK(alice->hears(R"({"t":"expiring","in":60000})", 15s));
    SUBCASE("no fresh one") {
        CHECK(alice->closed(65s) == 4503);
    }
    SUBCASE("a fresh one") {
        alice->say(R"({"t":"auth","token":")" + make_token({.subject = "alice", .lifetime = 1000s}, secret()).value() +
                   "\"}");
        CHECK(alice->hears(R"({"t":"welcome")"));
        CHECK(alice->closed(200s) == 0);
    }
    SUBCASE("of somebody else") {
        alice->say(R"({"t":"auth","token":")" + make_token({.subject = "bob"}, secret()).value() + "\"}");
        CHECK(alice->closed() == 4504);
    }
}

TEST_CASE("a token may say whom to send to") {
    AuthWorld world;
    auto alice = world.client();
    alice->say(hello(make_token({.subject = "alice", .send = {"bo*"}}, secret()).value()));
    alice->say(R"({"t":"m","to":"carol","from":"alice","n":"x"})");
    CHECK(alice->hears(R"({"t":"refused","n":"carol","e":"unauthorized")"));
    alice->say(R"({"t":"resolve","n":"bob"})");
    CHECK(alice->hears(R"({"t":"peer","n":"bob")"));
    CHECK(world.core->counters().dropped.forbidden == 1);
}

TEST_CASE("the operators' pages") {
    HubWorld world;
    auto alice = world.node("alice");
    const auto page = [&](const char* target) {
        net::HttpRequest request;
        request.method = "GET";
        request.target = target;
        return hub::operator_page(*world.core, request);
    };
    CHECK(page("/healthz").starts_with("HTTP/1.1 200"));
    CHECK(page("/metrics").find("\nnyamesh_hub_names_bound 1\n") != std::string::npos);
    CHECK(page("/names").find(R"("name":"alice","state":"here")") != std::string::npos);
    CHECK(page("/connections?limit=1").find(R"("names":["alice"])") != std::string::npos);
    CHECK(page("/x").starts_with("HTTP/1.1 404"));
    world.core->drain(1s, [] {});
    CHECK(page("/healthz").starts_with("HTTP/1.1 503"));
    CHECK(alice->hears(R"({"t":"drain","in":1000})"));
    CHECK(alice->closed(2s) == 4001);
}
