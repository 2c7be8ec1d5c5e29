#include "nyash/bindings/session.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "nyash/runtime/script_box.h"
#include "nyash/syntax/lexer.h"
#include "nyash/syntax/parser.h"
#include "nyash/syntax/unicode.h"

namespace nyash {
namespace {

constexpr std::string_view kWords[] = {
    "box",   "global",  "new",   "if",    "else",   "loop",   "break",     "return",   "function",
    "print", "me",      "init",  "birth", "await",  "nowait", "interface", "include",  "try",
    "catch", "finally", "throw", "local", "static", "outbox", "not",       "override", "from",
    "weak",  "using",   "and",   "or",    "true",   "false",  "null",      "void",     "continue",
};

bool is_name_byte(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           static_cast<unsigned char>(c) >= 0x80;
}

// The name `text` ends in; may be empty.
std::string_view last_name(std::string_view text) {
    std::size_t start = text.size();
    while (start > 0 && is_name_byte(text[start - 1])) --start;
    return text.substr(start);
}

std::string_view without_trailing_space(std::string_view text) {
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

void add_members(Runtime& runtime, const Value& value, std::vector<std::string>& candidates) {
    const BoxType& type = runtime.type_of(value);
    for (const auto name : type.method_names()) candidates.emplace_back(name);
    for (const auto name : type.property_names()) candidates.emplace_back(name);
    if (const auto* instance = value.as<Instance>()) {
        for (const auto name : instance->box.field_names()) candidates.emplace_back(name);
        for (const auto& part : instance->box.parts) {
            for (const auto name : part.type->method_names()) candidates.emplace_back(name);
        }
    }
    if (const auto* map = value.as<Map>()) {
        map->for_each([&](const String& key, const Value&) {
            if (!key.text().empty() && std::ranges::all_of(key.text(), is_name_byte)) candidates.push_back(key.text());
        });
    }
}

}  // namespace

bool is_incomplete_program(std::string text) {
    const auto source = std::make_shared<const Source>("input", std::move(text));
    const auto tokens = tokenize(*source);
    if (!tokens) {
        // A string or a comment that is never closed is reported at its start.
        const auto rest =
            source->text().substr(std::min<std::size_t>(tokens.error().span.offset, source->text().size()));
        const bool is_string = rest.starts_with('"') || rest.starts_with('\'');
        return is_string || rest.starts_with("/*");
    }
    const auto program = parse(source);
    return !program && program.error().span.offset >= source->text().size();
}

void keep_locals(Program& program) {
    Body kept;
    for (auto& stmt : program.main->body) {
        if (stmt->kind != StmtKind::Local) {
            kept.push_back(std::move(stmt));
            continue;
        }
        for (auto& declared : static_cast<LocalStmt&>(*stmt).variables) {
            auto global = std::make_unique<GlobalStmt>(StmtKind::Global, stmt->span);
            global->name = std::move(declared.name);
            global->name_span = declared.span;
            global->value = declared.value ? std::move(declared.value)
                                           : std::make_unique<LiteralExpr>(ExprKind::Null, declared.span);
            kept.push_back(std::move(global));
        }
    }
    program.main->body = std::move(kept);
}

bool ends_in_expression(const Program& program) {
    return !program.main->body.empty() && program.main->body.back()->kind == StmtKind::Expression;
}

std::vector<std::string> completions_of(Runtime& runtime, std::string_view line) {
    const std::string_view prefix = last_name(line);
    const std::string_view before = without_trailing_space(line.substr(0, line.size() - prefix.size()));
    std::vector<std::string> candidates;
    if (before.ends_with('.')) {
        // Only a plain name is looked up: anything more would have to run the script's code.
        const std::string_view owner = before.substr(0, before.size() - 1);
        const std::string_view name = last_name(owner);
        const bool is_plain = !name.empty() && !owner.substr(0, owner.size() - name.size()).ends_with('.');
        const Name known = is_plain ? runtime.names().find(name) : nullptr;
        const Value value = known ? runtime.globals().find(known) : Value{};
        if (!value.is_undefined()) add_members(runtime, value, candidates);
    } else if (last_name(before) == "new") {
        for (const auto name : runtime.types().constructible_names()) candidates.emplace_back(name);
    } else if (!prefix.empty()) {
        for (const auto word : kWords) candidates.emplace_back(word);
        for (const auto name : runtime.globals().defined_names()) candidates.emplace_back(name);
    }
    std::erase_if(candidates, [&](const std::string& candidate) { return !candidate.starts_with(prefix); });
    std::ranges::sort(candidates);
    candidates.erase(std::ranges::unique(candidates).begin(), candidates.end());
    return candidates;
}

}  // namespace nyash
