// RegexBox: regular expressions, by RE2. Matching takes time proportional to the text, whatever the
// pattern: no script can hang on one. (The price: no back references and no look-around.)
//
// This is the only file that knows RE2.
#include <re2/re2.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "nyash/boxes/boxes.h"
#include "nyash/runtime/native.h"
#include "nyash/runtime/text_writer.h"
#include "nyash/syntax/unicode.h"

namespace nyash {
namespace {

using Groups = std::vector<re2::StringPiece>;  // the whole match, then what each pair of parentheses matched

std::string_view view(const re2::StringPiece& piece) {
    return {piece.data(), piece.size()};
}

class RegexBox final : public Object {
public:
    RegexBox(const BoxType& type, std::unique_ptr<RE2> regex) : Object(type), regex_(std::move(regex)) {}

    const std::string& pattern() const { return regex_->pattern(); }
    std::size_t groups() const { return static_cast<std::size_t>(regex_->NumberOfCapturingGroups()) + 1; }

    // The first match at or after byte `from`, in as many groups as there is room for.
    bool match(std::string_view text, std::size_t from, Groups& groups) const {
        return regex_->Match({text.data(), text.size()}, from, text.size(), RE2::UNANCHORED, groups.data(),
                             static_cast<int>(groups.size()));
    }
    void write(TextWriter& out) const override { out.text("RegexBox(" + pattern() + ")"); }

private:
    std::unique_ptr<RE2> regex_;
};

// All matches of a regex in a text, from left to right, none over another. After an empty match the
// search goes on behind the next character.
class Matches {
public:
    Matches(const RegexBox& regex, std::string_view text, std::size_t groups)
        : regex_(regex), text_(text), groups_(groups) {}

    bool next() {
        if (from_ > text_.size() || !regex_.match(text_, from_, groups_)) return false;
        from_ = end();
        if (start() == end())
            from_ += from_ < text_.size() ? std::max<std::size_t>(unicode::decode(text_.substr(from_)).bytes, 1) : 1;
        return true;
    }
    std::size_t start() const { return static_cast<std::size_t>(groups_[0].data() - text_.data()); }
    std::size_t end() const { return start() + groups_[0].size(); }
    const Groups& groups() const { return groups_; }

private:
    const RegexBox& regex_;
    std::string_view text_;
    Groups groups_;
    std::size_t from_ = 0;
};

const RegexBox& self(NativeCall& call) {
    return call.object<RegexBox>();
}

Value text_of(NativeCall& call, std::string_view text) {
    return Value(call.runtime.string(std::string(text)));
}

Result make_regex(NativeCall& call) {
    const std::string& pattern = NYA_TRY(call.string(0))->text();
    RE2::Options options;
    options.set_log_errors(false);
    auto regex = std::make_unique<RE2>(pattern, options);
    if (!regex->ok()) {
        constexpr std::size_t kShown = 200;
        const std::string shown = pattern.size() > kShown ? "The pattern" : "The pattern '" + pattern + "'";
        return fail(error_kind::kOperation, shown + " is not a regular expression: " + regex->error());
    }
    return Value(make<RegexBox>(call.runtime.types().named("RegexBox"), std::move(regex)));
}

Result test(NativeCall& call) {
    Groups none;
    return Value::boolean(self(call).match(NYA_TRY(call.string(0))->text(), 0, none));
}

Result find(NativeCall& call) {
    Groups groups(1);
    if (!self(call).match(NYA_TRY(call.string(0))->text(), 0, groups)) return Value::null();
    return text_of(call, view(groups[0]));
}

Result find_all(NativeCall& call) {
    auto found = call.runtime.array();
    Matches matches(self(call), NYA_TRY(call.string(0))->text(), 1);
    while (matches.next()) {
        NYA_TRY(call.vm.check_limits());
        NYA_TRY(found->push(text_of(call, view(matches.groups()[0]))));
    }
    return Value(found);
}

// The first match and its groups, or null. A group that took no part is null.
Result groups(NativeCall& call) {
    Groups found(self(call).groups());
    if (!self(call).match(NYA_TRY(call.string(0))->text(), 0, found)) return Value::null();
    auto list = call.runtime.array();
    for (const auto& group : found) list->items.push_back(group.data() ? text_of(call, view(group)) : Value::null());
    return Value(list);
}

// A replacement, taken apart once: texts, and the groups between them.
struct Piece {
    std::string text;
    std::size_t group = 0;
    bool is_group = false;
};

// $0 is the match, $1 to $9 its groups, $$ a dollar sign.
std::expected<std::vector<Piece>, ScriptError> parse_replacement(const std::string& with, std::size_t groups) {
    std::vector<Piece> pieces(1);
    for (std::size_t i = 0; i < with.size(); ++i) {
        const char next = i + 1 < with.size() ? with[i + 1] : ' ';
        if (with[i] == '$' && next >= '0' && next <= '9') {
            const auto group = static_cast<std::size_t>(next - '0');
            if (group >= groups) {
                return fail(error_kind::kOperation, "The pattern has no group $" + std::to_string(group),
                            "$0 is the whole match, $1 the first pair of parentheses, $$ a dollar sign");
            }
            pieces.push_back({"", group, true});
            pieces.emplace_back();
            ++i;
            continue;
        }
        if (with[i] == '$' && next == '$') ++i;
        pieces.back().text += with[i];
    }
    return pieces;
}

Result replace(NativeCall& call) {
    const std::string& text = NYA_TRY(call.string(0))->text();
    const auto pieces = NYA_TRY(parse_replacement(NYA_TRY(call.string(1))->text(), self(call).groups()));
    Matches matches(self(call), text, self(call).groups());
    TextWriter out(call.vm);
    std::size_t done = 0;
    while (!out.is_stopped() && matches.next()) {
        NYA_TRY(call.vm.check_limits());
        out.text(std::string_view(text).substr(done, matches.start() - done));
        for (const auto& piece : pieces) out.text(piece.is_group ? view(matches.groups()[piece.group]) : piece.text);
        done = matches.end();
    }
    out.text(std::string_view(text).substr(done));
    return call.text(NYA_TRY(out.finish()));
}

// What is between the matches. An empty match splits only inside the text.
Result split(NativeCall& call) {
    const std::string_view text = NYA_TRY(call.string(0))->text();
    auto parts = call.runtime.array();
    Matches matches(self(call), text, 1);
    std::size_t done = 0;
    while (matches.next()) {
        NYA_TRY(call.vm.check_limits());
        const bool is_empty = matches.start() == matches.end();
        if (is_empty && (matches.start() == done || matches.start() == text.size())) continue;
        NYA_TRY(parts->push(text_of(call, text.substr(done, matches.start() - done))));
        done = matches.end();
    }
    NYA_TRY(parts->push(text_of(call, text.substr(done))));
    return Value(parts);
}

Result pattern(NativeCall& call) {
    return call.text(self(call).pattern());
}

}  // namespace

void add_regex_box(Runtime& runtime) {
    auto& names = runtime.names();
    runtime.types()
        .add("RegexBox")
        .constructor(names, "pattern", make_regex)
        .method(names, "test", "text", test)
        .method(names, "find", "text", find)
        .method(names, "findAll", "text", find_all)
        .method(names, "groups", "text", groups)
        .method(names, "replace", "text with", replace)
        .method(names, "split", "text", split)
        .property(names, "pattern", pattern);
}

}  // namespace nyash
