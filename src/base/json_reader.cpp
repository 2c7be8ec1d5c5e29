// Json::parse and validate, on Boost.JSON's event parser. The only file that knows Boost.JSON.
//
// The parser reports events (a key, a number, "an array of 3 ended here") and JsonBuilder turns them into our
// values directly: what was read waits on a stack until its container ends and takes it, so every container
// is allocated once, at its final size. One parser per thread is kept and reused.
#include "base/json_explanation.h"

#include <nya/json.h>

#include <boost/json/basic_parser_impl.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace nya {

namespace {

using boost::json::error;
using boost::json::error_code;

// What every receiver of the parser's events has in common: no limits but depth, and numbers beyond double.
struct Receiver {
    static constexpr std::size_t max_object_size = std::numeric_limits<std::size_t>::max();
    static constexpr std::size_t max_array_size = std::numeric_limits<std::size_t>::max();
    static constexpr std::size_t max_key_size = std::numeric_limits<std::size_t>::max();
    static constexpr std::size_t max_string_size = std::numeric_limits<std::size_t>::max();

    const char* too_large = nullptr;  // the number that does not fit, while reporting it

    bool refuse(boost::json::string_view number, error_code& ec) {
        too_large = number.data();
        ec = error::exponent_overflow;
        return false;
    }

    bool on_document_end(error_code&) { return true; }
    bool on_number_part(boost::json::string_view, error_code&) { return true; }
    bool on_comment_part(boost::json::string_view, error_code&) { return true; }
    bool on_comment(boost::json::string_view, error_code&) { return true; }
};

// The parser's own conversion is off by a bit now and then (it works in double), so the text is converted
// again, correctly rounded. `roughly` is the parser's result, good enough to tell too large from too small.
std::optional<double> exact_double(boost::json::string_view text, double roughly) noexcept {
    double value = 0;
    const auto end = text.data() + text.size();
    if (std::from_chars(text.data(), end, value).ec != std::errc::result_out_of_range) return value;
    if (std::abs(roughly) > 1) return std::nullopt;
    return std::copysign(0.0, roughly);
}

}  // namespace

// Puts values together, innermost first. What has been read waits on one stack, elements of arrays with an
// empty key, until its container ends and takes it.
class JsonBuilder : public Receiver {
public:
    bool on_document_begin(error_code&) {
        clear();
        return true;
    }

    Json& result() noexcept { return waiting_.front().value; }

    // Forgets everything. A huge text must not leave its memory with the thread for ever.
    void clear() {
        constexpr std::size_t kKeep = 1024;
        waiting_.clear();
        text_.clear();
        if (waiting_.capacity() > kKeep) waiting_ = {};
        if (text_.capacity() > kKeep) text_ = {};
        has_key_ = false;
        too_large = nullptr;
    }

    bool on_null(error_code&) { return put(nullptr); }
    bool on_bool(bool value, error_code&) { return put(value); }
    bool on_int64(std::int64_t value, boost::json::string_view, error_code&) { return put(value); }
    bool on_uint64(std::uint64_t value, boost::json::string_view digits, error_code& ec) {
        return on_double(static_cast<double>(value), digits, ec);
    }
    bool on_double(double roughly, boost::json::string_view digits, error_code& ec) {
        const auto value = exact_double(digits, roughly);
        return value ? put(*value) : refuse(digits, ec);
    }

    // Text comes in parts when it has escapes.
    bool on_string_part(boost::json::string_view part, std::size_t, error_code&) { return append(part); }
    bool on_key_part(boost::json::string_view part, std::size_t, error_code&) { return append(part); }
    bool on_string(boost::json::string_view part, std::size_t, error_code&) { return put(whole_text(part)); }
    bool on_key(boost::json::string_view part, std::size_t, error_code&) {
        waiting_.emplace_back(whole_text(part), Json());
        has_key_ = true;
        return true;
    }

    bool on_array_begin(error_code&) { return begin_container(); }
    bool on_array_end(std::size_t n, error_code&) {
        Json::Array items;
        items.reserve(n);
        for (auto item = last(n); item != waiting_.end(); ++item) items.push_back(std::move(item->value));
        return end_container(n, std::move(items));
    }

    bool on_object_begin(error_code&) { return begin_container(); }
    bool on_object_end(std::size_t n, error_code&) {
        auto object = std::make_unique<Json::Object>();
        if (last_keys_are_distinct(n)) [[likely]] {
            object->members_.assign(std::make_move_iterator(last(n)), std::make_move_iterator(waiting_.end()));
        } else {
            take_members_once(n, *object);
        }
        return end_container(n, std::move(object));
    }

private:
    // A container stands in the place of its value at once (with its key, if it has one); its children follow.
    bool begin_container() {
        if (!has_key_) waiting_.emplace_back();
        has_key_ = false;
        return true;
    }

    template <class Container>
    bool end_container(std::size_t n, Container container) {
        waiting_.erase(last(n), waiting_.end());
        waiting_.back().value.value_ = std::move(container);
        return true;
    }

    template <class Value>
    bool put(Value value) {
        if (!has_key_) waiting_.emplace_back();
        has_key_ = false;
        waiting_.back().value.value_ = std::move(value);
        return true;
    }

    bool append(boost::json::string_view part) {
        text_.append(part.data(), part.size());
        return true;
    }

    std::string whole_text(boost::json::string_view last_part) {
        if (text_.empty()) return std::string(last_part.data(), last_part.size());
        append(last_part);
        std::string whole = text_;
        text_.clear();
        return whole;
    }

    std::vector<Json::Member>::iterator last(std::size_t n) noexcept {
        return waiting_.end() - static_cast<std::ptrdiff_t>(n);
    }

    // The last n members, ordered by key, equal keys as they came. Sorting, not hashing: nobody can choose keys
    // that make it slow.
    std::vector<Json::Member*> last_by_key(std::size_t n) {
        std::vector<Json::Member*> order;
        order.reserve(n);
        for (auto member = last(n); member != waiting_.end(); ++member) order.push_back(&*member);
        std::ranges::sort(order, [](const Json::Member* a, const Json::Member* b) {
            const int by_key = a->key.compare(b->key);
            return by_key != 0 ? by_key < 0 : a < b;
        });
        return order;
    }

    bool last_keys_are_distinct(std::size_t n) {
        if (n <= 16) {
            for (auto member = last(n); member != waiting_.end(); ++member) {
                for (auto earlier = last(n); earlier != member; ++earlier) {
                    if (earlier->key == member->key) return false;
                }
            }
            return true;
        }
        const auto order = last_by_key(n);
        return std::ranges::adjacent_find(order, {}, [](auto* member) -> auto& { return member->key; }) == order.end();
    }

    // Of equal keys the first gives the place, the last the value.
    void take_members_once(std::size_t n, Json::Object& object) {
        const auto order = last_by_key(n);
        std::vector<bool> is_repeated(n, false);
        for (auto first = order.begin(); first != order.end();) {
            auto next = first + 1;
            for (; next != order.end() && (*next)->key == (*first)->key; ++next) {
                (*first)->value = std::move((*next)->value);
                is_repeated[static_cast<std::size_t>(*next - &*last(n))] = true;
            }
            first = next;
        }
        for (std::size_t i = 0; i < n; ++i) {
            if (!is_repeated[i]) object.members_.push_back(std::move(*(last(n) + static_cast<std::ptrdiff_t>(i))));
        }
    }

    std::vector<Json::Member> waiting_;
    std::string text_;      // the parts of a string so far
    bool has_key_ = false;  // the last one waiting is a key whose value comes next
};

namespace {

// Only listens for numbers that do not fit.
struct Validator : Receiver {
    bool on_document_begin(error_code&) {
        too_large = nullptr;
        return true;
    }
    bool on_null(error_code&) { return true; }
    bool on_bool(bool, error_code&) { return true; }
    bool on_int64(std::int64_t, boost::json::string_view, error_code&) { return true; }
    bool on_uint64(std::uint64_t, boost::json::string_view, error_code&) { return true; }
    bool on_double(double roughly, boost::json::string_view digits, error_code& ec) {
        if (std::abs(roughly) < 1e300) return true;
        return exact_double(digits, roughly) ? true : refuse(digits, ec);
    }
    bool on_string_part(boost::json::string_view, std::size_t, error_code&) { return true; }
    bool on_string(boost::json::string_view, std::size_t, error_code&) { return true; }
    bool on_key_part(boost::json::string_view, std::size_t, error_code&) { return true; }
    bool on_key(boost::json::string_view, std::size_t, error_code&) { return true; }
    bool on_array_begin(error_code&) { return true; }
    bool on_array_end(std::size_t, error_code&) { return true; }
    bool on_object_begin(error_code&) { return true; }
    bool on_object_end(std::size_t, error_code&) { return true; }
};

template <class Events>
class Reader {
public:
    Reader() : parser_(options()) {}

    Events& events() noexcept { return parser_.handler(); }

    std::expected<void, JsonError> read(std::string_view text) {
        parser_.reset();
        error_code code;
        const std::size_t used = parser_.write_some(false, text.data(), text.size(), code);
        if (!code && used == text.size()) [[likely]]
            return {};
        return std::unexpected(explain(text, stop(text, used, code)));
    }

private:
    JsonStop stop(std::string_view text, std::size_t used, error_code code) {
        using enum JsonStop::Why;
        if (const char* number = events().too_large)
            return {static_cast<std::size_t>(number - text.data()), NumberTooLarge};
        return {used, code == error::too_deep ? TooDeep : code == error::exponent_overflow ? ExponentTooLarge : Syntax};
    }

    static boost::json::parse_options options() {
        boost::json::parse_options strict;
        strict.max_depth = kMaxJsonDepth;
        return strict;
    }

    boost::json::basic_parser<Events> parser_;
};

}  // namespace

std::expected<Json, JsonError> Json::parse(std::string_view text) {
    thread_local Reader<JsonBuilder> reader;
    JsonBuilder& builder = reader.events();
    auto read = reader.read(text);
    std::expected<Json, JsonError> result;
    if (read) {
        *result = std::move(builder.result());
    } else {
        result = std::unexpected(std::move(read.error()));
    }
    builder.clear();
    return result;
}

std::expected<void, JsonError> Json::validate(std::string_view text) {
    thread_local Reader<Validator> reader;
    return reader.read(text);
}

}  // namespace nya
