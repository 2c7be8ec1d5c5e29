// Each table is a list of keys with a setter: the one place that says what there is, what type it has, and where it
// goes.
#include "hub_config.h"

#include "near.h"

#include <nya/expected.h>

#include <concepts>
#include <limits>
#include <type_traits>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace tool {

namespace {

using Done = std::expected<void, std::string>;

struct Key {
    std::string_view name;
    std::function<Done(const toml::node&)> take;
};

std::string place(const std::string& file, const toml::node& node) {
    return file + ":" + std::to_string(node.source().begin.line) + ": ";
}

// What is expected instead of `node`; nothing if it is that. `into` is set.
std::string read(const toml::node& node, std::string& into) {
    const auto value = node.value_exact<std::string>();
    if (!value) return "expected a text";
    into = *value;
    return {};
}

std::string read(const toml::node& node, bool& into) {
    const auto value = node.value_exact<bool>();
    if (!value) return "expected true or false";
    into = *value;
    return {};
}

template <std::unsigned_integral Number>
    requires(!std::same_as<Number, bool>)
std::string read(const toml::node& node, Number& into) {
    const auto value = node.value_exact<std::int64_t>();
    if (!value) return "expected a whole number";
    if (*value < 0 || static_cast<std::uint64_t>(*value) > std::numeric_limits<Number>::max()) return "is out of range";
    into = static_cast<Number>(*value);
    return {};
}

std::string read(const toml::node& node, std::chrono::milliseconds& into) {
    std::uint32_t value = 0;
    std::string wrong = read(node, value);
    if (wrong.empty()) into = std::chrono::milliseconds(value);
    return wrong;
}

std::string read(const toml::node& node, std::vector<std::string>& into) {
    const toml::array* list = node.as_array();
    if (list == nullptr) return "expected a list of texts";
    into.clear();
    for (const toml::node& item : *list) {
        if (std::string wrong = read(item, into.emplace_back()); !wrong.empty()) return "expected a list of texts";
    }
    return {};
}

class Reader {
public:
    Reader(std::string file, HubCommand& into) : file_(std::move(file)), into_(into) {}

    Done top(const toml::table& table) {
        nyamesh::HubOptions& options = into_.options;
        return walk(table, "at the top",
                    {value("listen", options.listen),
                     value("admin", options.admin),
                     value("allowed_origins", options.allowed_origins),
                     value("state_directory", options.state_directory),
                     value("insecure", options.is_insecure),
                     {"log", [this](const toml::node& node) { return log(node); }},
                     value("drain_ms", into_.drain),
                     {"tls", [this](const toml::node& node) { return tls(node); }},
                     {"auth", [this](const toml::node& node) { return auth(node); }},
                     {"limits", [this](const toml::node& node) { return limits(node); }}});
    }

private:
    template <class Value>
    Key value(std::string_view name, Value& into) {
        return {name, [this, name, &into](const toml::node& node) -> Done {
                    if (const std::string wrong = read(node, into); !wrong.empty())
                        return std::unexpected(place(file_, node) + "'" + std::string(name) + "': " + wrong);
                    return {};
                }};
    }

    Done walk(const toml::node& node, std::string_view where, const std::vector<Key>& keys) {
        const toml::table* table = node.as_table();
        if (table == nullptr) return std::unexpected(place(file_, node) + "expected a table " + std::string(where));
        for (const auto& [name, member] : *table) {
            const auto known =
                std::find_if(keys.begin(), keys.end(), [&](const Key& key) { return key.name == name.str(); });
            if (known != keys.end()) {
                NYA_TRY(known->take(member));
                continue;
            }
            std::vector<std::string_view> names;
            for (const Key& key : keys) names.push_back(key.name);
            const std::string_view near = nearest(name.str(), names);
            return std::unexpected(file_ + ":" + std::to_string(name.source().begin.line) + ": unknown key '" +
                                   std::string(name.str()) + "' " + std::string(where) +
                                   (near.empty() ? "" : "; did you mean '" + std::string(near) + "'?"));
        }
        return {};
    }

    Done log(const toml::node& node) {
        NYA_TRY(value("log", into_.log).take(node));
        if (into_.log == "json" || into_.log == "human" || into_.log == "off") return {};
        return std::unexpected(place(file_, node) + "'log': expected json, human or off");
    }

    Done tls(const toml::node& node) {
        nyamesh::HubTls& tls = into_.options.tls.emplace();
        return walk(node, "in [tls]",
                    {value("certificate_file", tls.certificate_file), value("key_file", tls.key_file)});
    }

    Done auth(const toml::node& node) {
        nyamesh::HubAuth& auth = into_.options.auth;
        return walk(node, "in [auth]",
                    {value("required", auth.is_required),
                     value("audience", auth.audience),
                     {"keys", [this](const toml::node& list) { return keys(list); }}});
    }

    Done keys(const toml::node& node) {
        const toml::array* list = node.as_array();
        if (list == nullptr) return std::unexpected(place(file_, node) + "keys are written as [[auth.keys]]");
        for (const toml::node& item : *list) {
            nyamesh::HubKey key;
            NYA_TRY(walk(item, "in [[auth.keys]]",
                         {value("id", key.id), value("algorithm", key.algorithm), value("value", key.value),
                          value("file", key.file)}));
            into_.options.auth.keys.push_back(std::move(key));
        }
        return {};
    }

    Done limits(const toml::node& node) {
        nyamesh::HubLimits& l = into_.options.limits;
        return walk(
            node, "in [limits]",
            {value("max_intent_bytes", l.max_intent_bytes), value("messages_per_second", l.messages_per_second),
             value("bytes_per_second", l.bytes_per_second), value("out_queue_bytes", l.out_queue_bytes),
             value("connections", l.connections), value("connections_per_address", l.connections_per_address),
             value("accepts_per_second", l.accepts_per_second), value("names_per_connection", l.names_per_connection),
             value("watches_per_connection", l.watches_per_connection), value("known_names", l.known_names)});
    }

    std::string file_;
    HubCommand& into_;
};

}  // namespace

Done read_hub_config(const std::string& file, HubCommand& into) {
    const toml::parse_result parsed = toml::parse_file(file);
    if (!parsed) {
        const toml::parse_error& error = parsed.error();
        return std::unexpected(file + ":" + std::to_string(error.source().begin.line) + ": " +
                               std::string(error.description()));
    }
    return Reader(file, into).top(parsed.table());
}

}  // namespace tool
