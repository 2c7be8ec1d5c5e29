// The vectors of tests/protocol/vectors (docs/protocol.md, 13), and the document itself: every frame it shows is a
// vector. NYA_VECTORS and NYA_PROTOCOL are where they are.
#include "wire/frame_codec.h"

#include <nya/json.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

using namespace nyamesh::wire;
using nya::Json;

namespace {

std::string contents(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    REQUIRE_MESSAGE(file.good(), path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

struct Vector {
    std::string file;
    Json json;

    std::string name() const { return file + ": " + json["name"].as_string(); }
    bool is_refused() const { return !json["error"].is_null(); }
    std::string frame() const {
        if (json["frame_hex"].is_null()) return json["frame"].as_string();
        const std::string& hex = json["frame_hex"].as_string();
        std::string bytes;
        for (std::size_t i = 0; i < hex.size(); i += 2) {
            bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
        }
        return bytes;
    }
};

const std::vector<Vector>& vectors() {
    static const std::vector<Vector> all = [] {
        std::vector<Vector> read;
        for (const auto& entry : std::filesystem::directory_iterator(NYA_VECTORS)) {
            auto list = Json::parse(contents(entry.path()));
            REQUIRE_MESSAGE(list.has_value(), entry.path());
            for (const Json& one : list->as_array()) read.push_back({entry.path().filename(), one});
        }
        return read;
    }();
    return all;
}

// The frames of the document's ```frames blocks: one a line, behind an arrow.
std::vector<std::string> frames_of_document() {
    std::istringstream document(contents(NYA_PROTOCOL));
    std::vector<std::string> frames;
    bool is_inside = false;
    for (std::string line; std::getline(document, line);) {
        if (line.starts_with("```")) {
            is_inside = line == "```frames";
        } else if (is_inside && !line.starts_with("# ")) {
            const bool has_arrow = line.starts_with("→ ") || line.starts_with("← ");
            REQUIRE_MESSAGE(has_arrow, line);
            line.erase(0, std::string_view("→ ").size());
            if (const auto feed = line.find("⏎"); feed != std::string::npos) {
                line.replace(feed, std::string_view("⏎").size(), "\n");
            }
            frames.push_back(line);
        }
    }
    return frames;
}

std::string encoded(const Frame& frame) {
    std::string bytes;
    encode(frame.head, frame.payload, bytes);
    return bytes;
}

// What was read, as a vector states it: the members that differ from their defaults.
Json members(const Head& head) {
    std::string text;
    encode_head(head, text);
    auto json = Json::parse(text);
    REQUIRE(json.has_value());
    return *json;
}

using Decode = std::expected<Frame, DecodeError> (*)(std::string_view, Scratch&);
constexpr std::array<Decode, 2> kRoads{decode, decode_strictly};

}  // namespace

TEST_CASE("vectors that are frames are read as they say") {
    for (const Vector& vector : vectors()) {
        if (vector.is_refused()) continue;
        const std::string bytes = vector.frame();
        for (const Decode read : kRoads) {
            Scratch scratch;
            const auto frame = read(bytes, scratch);
            const std::string error = frame ? std::string() : frame.error().message;
            REQUIRE_MESSAGE(frame.has_value(), vector.name(), ": ", error);
            CHECK_MESSAGE(members(frame->head) == vector.json["head"], vector.name());
            CHECK_MESSAGE(frame->payload == vector.json["payload"].as_string(), vector.name());
        }
    }
}

TEST_CASE("canonical vectors are what an encoder writes") {
    for (const Vector& vector : vectors()) {
        if (vector.is_refused() || !vector.json["canonical"].as_bool()) continue;
        const std::string bytes = vector.frame();
        Scratch scratch;
        const auto frame = decode(bytes, scratch);
        REQUIRE_MESSAGE(frame.has_value(), vector.name());
        CHECK_MESSAGE(encoded(*frame) == bytes, vector.name());
    }
}

TEST_CASE("the hub reads the same route from every vector") {
    for (const Vector& vector : vectors()) {
        if (vector.is_refused()) continue;
        const std::string bytes = vector.frame();
        Scratch scratch;
        const auto route = read_route(bytes, scratch);
        REQUIRE_MESSAGE(route.has_value(), vector.name());
        const Json& head = vector.json["head"];
        CHECK_MESSAGE(to_string(route->type) == head["t"].as_string(), vector.name());
        if (!is_relayed(route->type)) continue;
        CHECK_MESSAGE(route->to == head["to"].as_string(), vector.name());
        CHECK_MESSAGE(route->from == head["from"].as_string(), vector.name());
    }
}

TEST_CASE("vectors that are no frames are refused, with the reason they give") {
    for (const Vector& vector : vectors()) {
        if (!vector.is_refused()) continue;
        const std::string bytes = vector.frame();
        for (const Decode read : kRoads) {
            Scratch scratch;
            const auto frame = read(bytes, scratch);
            REQUIRE_MESSAGE(!frame.has_value(), vector.name());
            CHECK_MESSAGE(frame.error().message == vector.json["error"].as_string(), vector.name());
            CHECK_MESSAGE(static_cast<std::int64_t>(frame.error().offset) == vector.json["offset"].as_integer(),
                          vector.name());
        }
    }
}

TEST_CASE("every frame that the document shows is a canonical vector") {
    std::set<std::string> canonical;
    for (const Vector& vector : vectors()) {
        if (!vector.is_refused() && vector.json["canonical"].as_bool()) canonical.insert(vector.frame());
    }
    const auto frames = frames_of_document();
    CHECK(frames.size() > 40);
    for (const std::string& frame : frames) CHECK_MESSAGE(canonical.contains(frame), frame);
}

TEST_CASE("the document shows every type of frame") {
    std::set<std::string_view> shown;
    const auto frames = frames_of_document();
    for (const std::string& bytes : frames) {
        Scratch scratch;
        const auto frame = decode(bytes, scratch);
        REQUIRE_MESSAGE(frame.has_value(), bytes);
        shown.insert(to_string(frame->head.type));
    }
    for (int i = 0; i <= static_cast<int>(FrameType::Expiring); ++i) {
        const auto type = to_string(static_cast<FrameType>(i));
        CHECK_MESSAGE(shown.contains(type), type);
    }
}

TEST_CASE("every vector has a name of its own, and its file's members") {
    std::set<std::string> names;
    for (const Vector& vector : vectors()) CHECK_MESSAGE(names.insert(vector.name()).second, vector.name());
    CHECK(names.size() > 100);
}
