// RandomBox: chance. After seed(n) the same numbers come every time; before, they are the runtime's.
#include <algorithm>
#include <memory>
#include <string>

#include "nyash/boxes/boxes.h"
#include "nyash/boxes/numbers.h"
#include "nyash/runtime/native.h"

namespace nyash {
namespace {

class RandomBox final : public Object {
public:
    explicit RandomBox(const BoxType& type) : Object(type) {}
    std::shared_ptr<nya::Random> seeded;  // null before seed()
};

nya::Random& source(NativeCall& call) {
    auto& seeded = call.object<RandomBox>().seeded;
    return seeded ? *seeded : call.runtime.random();
}

// 0 to `most`, each as likely as the others: numbers of the last, incomplete round are drawn again.
std::uint64_t up_to(nya::Random& random, std::uint64_t most) {
    if (most == UINT64_MAX) return random.next();
    const std::uint64_t count = most + 1;
    const std::uint64_t incomplete = (UINT64_MAX % count + 1) % count;
    while (true) {
        const std::uint64_t drawn = random.next();
        if (drawn <= UINT64_MAX - incomplete) return drawn % count;
    }
}

Result make_random(NativeCall& call) {
    return Value(make<RandomBox>(call.runtime.types().named("RandomBox")));
}

Result seed(NativeCall& call) {
    const std::int64_t n = NYA_TRY(call.integer(0));
    call.object<RandomBox>().seeded = nya::Random::seeded(static_cast<std::uint64_t>(n));
    return Value::nothing();
}

Result random(NativeCall& call) {
    return Value::number(random_fraction(source(call)));
}

Result rand_int(NativeCall& call) {
    const std::int64_t low = NYA_TRY(call.integer(0));
    const std::int64_t high = NYA_TRY(call.integer(1));
    if (low > high) {
        return fail(error_kind::kOperation,
                    "randInt needs the lower end first, got " + std::to_string(low) + " and " + std::to_string(high));
    }
    const auto first = static_cast<std::uint64_t>(low);
    const std::uint64_t distance = static_cast<std::uint64_t>(high) - first;
    return Value::integer(static_cast<std::int64_t>(first + up_to(source(call), distance)));
}

Result rand_bool(NativeCall& call) {
    return Value::boolean(source(call).next() >> 63U != 0);
}

// null when there is nothing to choose from.
Result choice(NativeCall& call) {
    const auto& items = NYA_TRY(call.array(0))->items;
    if (items.empty()) return Value::null();
    return items[up_to(source(call), items.size() - 1)];
}

// A new array; the one given stays as it is.
Result shuffle(NativeCall& call) {
    auto shuffled = call.runtime.array();
    auto& items = shuffled->items;
    items = NYA_TRY(call.array(0))->items;
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[up_to(source(call), i - 1)]);
    return Value(shuffled);
}

Result rand_string(NativeCall& call) {
    constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    const std::int64_t length = NYA_TRY(call.integer(0));
    if (length < 0)
        return fail(error_kind::kOperation, "randString needs a length of 0 or more, got " + std::to_string(length));
    if (static_cast<std::uint64_t>(length) > call.runtime.limits().max_text_bytes)
        return std::unexpected(call.vm.text_too_long());
    std::string text(static_cast<std::size_t>(length), ' ');
    for (char& c : text) c = kLetters[up_to(source(call), kLetters.size() - 1)];
    return call.text(std::move(text));
}

Result probability(NativeCall& call) {
    const double p = NYA_TRY(call.number(0));
    if (!(p >= 0 && p <= 1)) return fail(error_kind::kOperation, "probability takes a number from 0 to 1");
    return Value::boolean(random_fraction(source(call)) < p);
}

}  // namespace

void add_random_box(Runtime& runtime) {
    auto& names = runtime.names();
    runtime.types()
        .add("RandomBox")
        .constructor(names, "", make_random)
        .method(names, "seed", "n", seed)
        .method(names, "random", "", random)
        .method(names, "randInt", "low high", rand_int)
        .method(names, "randBool", "", rand_bool)
        .method(names, "choice", "array", choice)
        .method(names, "shuffle", "array", shuffle)
        .method(names, "randString", "length", rand_string)
        .method(names, "probability", "p", probability);
}

}  // namespace nyash
