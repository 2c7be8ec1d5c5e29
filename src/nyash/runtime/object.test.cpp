#include "nyash/runtime/object.h"

#include <doctest/doctest.h>

#include "nyash/runtime/runtime.h"

using nyash::Object;
using nyash::Runtime;
using nyash::Value;

namespace {

Runtime::Options options() {
    Runtime::Options made;
    made.channels = {[](std::string_view) {}, [](std::string_view) {}, [](std::string&) { return false; }, {}};
    return made;
}

}  // namespace

TEST_CASE("a value is freed with its last reference") {
    Runtime runtime(options());
    auto array = runtime.array();
    {
        const Value a(array);
        const Value b = a;
        CHECK(array->use_count() == 3);
        Value c = std::move(const_cast<Value&>(b));
        CHECK(array->use_count() == 3);
        CHECK(b.is_undefined());
    }
    CHECK(array->use_count() == 1);
}

#ifndef NDEBUG
TEST_CASE("cycles go when their runtime goes") {
    const auto before = Object::live_count();
    {
        Runtime runtime(options());
        auto array = runtime.array();
        auto map = runtime.map();
        array->items.emplace_back(map);
        map->set(*runtime.string("back"), Value(array));
        CHECK(Object::live_count() > before);
    }
    CHECK(Object::live_count() == before);
}
#endif

TEST_CASE("a chain of a million arrays is freed without a million stack frames") {
    Runtime runtime(options());
    Value chain(runtime.array());
    for (int i = 0; i < 1'000'000; ++i) {
        auto outer = runtime.array();
        outer->items.push_back(std::move(chain));
        chain = Value(outer);
    }
    chain.reset();
    CHECK(runtime.heap().is_empty());
}
