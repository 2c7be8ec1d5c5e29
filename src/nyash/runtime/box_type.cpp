#include "nyash/runtime/box_type.h"

#include <algorithm>

#include "nyash/syntax/diagnostic.h"

namespace nyash {
namespace {

// Calls `visit` for each word of `text`.
void for_each_word(std::string_view text, auto visit) {
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(' '), text.size());
        if (end > 0) visit(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

}  // namespace

NativeFunction::NativeFunction(Names& names, std::string_view function_name, std::string_view signature, NativeCode c)
    : name(function_name), code(c) {
    for_each_word(signature, [&](std::string_view word) {
        if (word.ends_with("...")) {
            takes_any_number = true;
            return;
        }
        const bool is_optional = word.ends_with('?');
        if (is_optional) word.remove_suffix(1);
        parameters.push_back(names.intern(word));
        if (!is_optional) ++least;
        ++most;
    });
}

std::string NativeFunction::expected_arguments() const {
    const auto plural = [](std::size_t n) { return n == 1 ? " argument" : " arguments"; };
    if (takes_any_number) return "at least " + std::to_string(least) + plural(least);
    if (least == most) return std::to_string(least) + plural(least);
    const char* between = most == least + 1 ? " or " : " to ";
    return std::to_string(least) + between + std::to_string(most) + " arguments";
}

std::string NativeFunction::usage() const {
    std::string text = name + "(";
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        if (i > 0) text += ", ";
        text += parameters[i]->text();
        if (i >= least) text += '?';
    }
    if (takes_any_number) text += parameters.empty() ? "..." : ", ...";
    return text + ")";
}

BoxType& BoxType::constructor(Names& names, std::string_view signature, NativeCode code) {
    constructor_ = std::make_unique<NativeFunction>(names, name_, signature, code);
    return *this;
}

BoxType& BoxType::method(Names& names, std::string_view aliases, std::string_view signature, NativeCode code) {
    for_each_word(aliases, [&](std::string_view alias) {
        functions_.push_back(std::make_unique<NativeFunction>(names, alias, signature, code));
        methods_[names.intern(alias)] = Method{functions_.back().get(), nullptr};
    });
    return *this;
}

BoxType& BoxType::method(Names& names, std::string_view aliases, std::string_view signature, NativeCode code,
                         NativeCode async_code) {
    const std::size_t first = functions_.size();
    method(names, aliases, signature, code);
    for (std::size_t i = first; i < functions_.size(); ++i) functions_[i]->async_code = async_code;
    return *this;
}

BoxType& BoxType::call_method(Names& names, std::string_view aliases, NativeCode code) {
    const std::size_t first = functions_.size();
    method(names, aliases, "values...", code);
    for (std::size_t i = first; i < functions_.size(); ++i) functions_[i]->calls_self = true;
    return *this;
}

BoxType& BoxType::property(Names& names, std::string_view aliases, NativeCode code) {
    for_each_word(aliases, [&](std::string_view alias) {
        functions_.push_back(std::make_unique<NativeFunction>(names, alias, "", code));
        properties_[names.intern(alias)] = functions_.back().get();
    });
    return *this;
}

bool BoxType::is_a(std::string_view type_name) const {
    if (name_ == type_name) return true;
    return name_.ends_with("Box") && std::string_view(name_).substr(0, name_.size() - 3) == type_name;
}

Method BoxType::find_own_method(Name name) const {
    const auto found = methods_.find(name);
    return found == methods_.end() ? Method{} : found->second;
}

Method BoxType::find_method(Name name) const {
    if (auto found = methods_.find(name); found != methods_.end()) return found->second;
    return inherited_ ? inherited_->find_method(name) : Method{};
}

const NativeFunction* BoxType::find_property(Name name) const {
    auto found = properties_.find(name);
    return found == properties_.end() ? nullptr : found->second;
}

std::vector<std::string_view> BoxType::method_names() const {
    std::vector<std::string_view> names = inherited_ ? inherited_->method_names() : std::vector<std::string_view>{};
    for (const auto& [name, method] : methods_) names.push_back(name->text());
    return names;
}

std::vector<std::string_view> BoxType::property_names() const {
    std::vector<std::string_view> names;
    for (const auto& [name, getter] : properties_) names.push_back(name->text());
    return names;
}

std::vector<const NativeFunction*> BoxType::native_methods() const {
    std::vector<const NativeFunction*> own;
    for (const auto& [name, method] : methods_) {
        if (method.native) own.push_back(method.native);
    }
    std::ranges::sort(own, {}, &NativeFunction::name);
    return own;
}

std::vector<const NativeFunction*> BoxType::native_properties() const {
    std::vector<const NativeFunction*> own;
    for (const auto& [name, getter] : properties_) own.push_back(getter);
    std::ranges::sort(own, {}, &NativeFunction::name);
    return own;
}

BoxType& BoxTypes::add(std::string name) {
    types_.push_back(std::make_unique<BoxType>(std::move(name), &any_));
    adopt(*types_.back());
    return *types_.back();
}

void BoxTypes::adopt(BoxType& type) {
    by_name_[names_.intern(type.name())] = &type;
    ++version_;
}

BoxType* BoxTypes::find(Name name) const {
    auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : found->second;
}

const BoxType& BoxTypes::named(std::string_view name) const {
    return *by_name_.at(names_.find(name));
}

std::string BoxTypes::suggestion(Name name) const {
    const auto known = constructible_names();
    const std::string with_suffix = name->text() + "Box";
    const bool is_short_form = std::ranges::find(known, with_suffix) != known.end();
    if (is_short_form) return "did you mean '" + with_suffix + "'?";
    std::string help = did_you_mean(name->text(), known);
    return help.empty() ? did_you_mean(with_suffix, known) : help;
}

std::vector<std::string_view> BoxTypes::constructible_names() const {
    std::vector<std::string_view> names;
    for (const auto& [name, type] : by_name_) {
        if (type->constructor() || type->is_script()) names.push_back(name->text());
    }
    return names;
}

std::vector<const BoxType*> BoxTypes::all() const {
    std::vector<const BoxType*> types;
    for (const auto& [name, type] : by_name_) types.push_back(type);
    std::ranges::sort(types, {}, &BoxType::name);
    return types;
}

}  // namespace nyash
