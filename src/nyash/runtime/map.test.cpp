#include "nyash/runtime/map.h"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <string>

#include "nyash/runtime/runtime.h"

using nyash::Runtime;
using nyash::String;
using nyash::Value;

namespace {

Runtime::Options options() {
    Runtime::Options made;
    made.channels = {[](std::string_view) {}, [](std::string_view) {}, [](std::string&) { return false; }, {}};
    return made;
}

}  // namespace

TEST_CASE("a map agrees with std::map over random additions and removals, and keeps its order") {
    Runtime runtime(options());
    auto map = runtime.map();
    std::map<std::string, std::int64_t> model;
    std::vector<std::string> order;
    std::mt19937 random(7);
    for (std::int64_t step = 0; step < 20'000; ++step) {
        const std::string key = "k" + std::to_string(random() % 300);
        const auto name = runtime.string(key);
        if (random() % 3 != 0) {
            if (model.insert_or_assign(key, step).second) order.push_back(key);
            map->set(*name, Value::integer(step));
        } else {
            CHECK(map->erase(*name) == (model.erase(key) == 1));
            std::erase(order, key);
        }
    }
    REQUIRE(map->size() == model.size());
    std::vector<std::string> found;
    map->for_each([&](const String& key, const Value& value) {
        found.push_back(key.text());
        CHECK(model.at(key.text()) == value.as_integer());
    });
    CHECK(found == order);
    CHECK(map->find(*runtime.string("missing")) == nullptr);
}
