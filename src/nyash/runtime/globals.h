// Globals: what every part of a script can see by name.
//
// Each name has one numbered slot, given out when the compiler first meets it, so that running code
// never searches. A slot holds two things: the global variable, if there is one, and what is declared
// under that name (a function, a static box). A variable hides a declaration (LANGUAGE, 4). A static box
// becomes a value when it is first read.
#pragma once

#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "nyash/runtime/string.h"
#include "nyash/runtime/value.h"

namespace nyash {

class ScriptBox;

class Globals {
public:
    struct Slot {
        Name name = nullptr;
        Value variable;
        Value declared;
        ScriptBox* static_box = nullptr;  // not used yet: then `declared` is its singleton
        const Value& read() const { return variable.is_undefined() ? declared : variable; }
    };

    // The number of the slot for `name`.
    std::size_t index(Name name) {
        auto [entry, added] = indices_.try_emplace(name, slots_.size());
        if (added) slots_.push_back({name, {}, {}, nullptr});
        return entry->second;
    }
    std::size_t size() const { return slots_.size(); }
    Slot& operator[](std::size_t index) { return slots_[index]; }
    const Slot& operator[](std::size_t index) const { return slots_[index]; }
    // What `name` means at the top level now; Undefined when nothing.
    Value find(Name name) const {
        auto found = indices_.find(name);
        return found == indices_.end() ? Value{} : slots_[found->second].read();
    }
    std::vector<std::string_view> defined_names() const {
        std::vector<std::string_view> names;
        for (const Slot& slot : slots_) {
            if (!slot.read().is_undefined() || slot.static_box) names.push_back(slot.name->text());
        }
        return names;
    }
    void clear() {
        for (std::size_t i = slots_.size(); i-- > 0;) {  // last made, first dropped
            const Value variable = std::move(slots_[i].variable);
            const Value declared = std::move(slots_[i].declared);
            slots_[i].static_box = nullptr;
        }
    }

private:
    std::vector<Slot> slots_;
    std::unordered_map<Name, std::size_t> indices_;
};

}  // namespace nyash
