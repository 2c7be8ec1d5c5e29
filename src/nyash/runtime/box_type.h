// BoxType: what a kind of box can do. Its name, its constructor, its methods and its properties.
//
// Every heap object points at its BoxType, and each kind of plain value has one too, so `3.abs()` and
// `node.send(…)` are found the same way. A call site remembers the type and the method it found last
// (an inline cache); the table is only asked when another type comes along.
//
// Native functions are declared by a signature people can read:
//     type.method("substring", "start end?", substring)        one or two arguments
//     type.method("log", "values...", log)                      any number
// The names in it serve named arguments and error messages.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "nyash/runtime/script_error.h"
#include "nyash/runtime/string.h"
#include "nyash/runtime/value.h"

namespace nyash {

class NativeCall;
class Function;
class Names;

using NativeCode = Result (*)(NativeCall& call);

struct NativeFunction {
    NativeFunction(Names& names, std::string_view name, std::string_view signature, NativeCode code);

    std::string name;
    std::vector<Name> parameters;
    std::size_t least = 0;
    std::size_t most = 0;
    bool takes_any_number = false;
    bool calls_self = false;  // `f.call(x)`: the VM does f(x) instead, without nesting its loop
    NativeCode code;
    NativeCode async_code = nullptr;  // for `nowait`: starts the same and returns a Future at once

    // "2", "2 or 3", "at least 1" arguments.
    std::string expected_arguments() const;
    // As a reference writes it: "substring(start, end?)", "log(...)".
    std::string usage() const;
};

// A method is native or written in Nyash.
struct Method {
    const NativeFunction* native = nullptr;
    Function* script = nullptr;
    explicit operator bool() const noexcept { return native || script; }
};

class BoxType {
public:
    // Native: built in. Script: a ScriptBox, its objects Instances. Dead: of Instances after fini().
    enum class Kind : std::uint8_t { Native, Script, Dead };

    // `inherited` answers what this type does not: the methods every value has.
    BoxType(std::string name, const BoxType* inherited = nullptr, Kind kind = Kind::Native)
        : name_(std::move(name)), inherited_(inherited), kind_(kind) {}
    virtual ~BoxType() = default;
    BoxType(const BoxType&) = delete;
    BoxType& operator=(const BoxType&) = delete;

    const std::string& name() const noexcept { return name_; }
    Kind kind() const noexcept { return kind_; }
    bool is_script() const noexcept { return kind_ == Kind::Script; }
    // Whether values of this type pass as the type named, with or without the suffix Box.
    virtual bool is_a(std::string_view type_name) const;

    // Declaring, once, before the first script runs. `names` separates aliases by spaces.
    BoxType& constructor(Names& names, std::string_view signature, NativeCode code);
    BoxType& method(Names& names, std::string_view aliases, std::string_view signature, NativeCode code);
    // A method that has an asynchronous form: `async_code` never waits, and returns a Future (runtime/future.h).
    BoxType& method(Names& names, std::string_view aliases, std::string_view signature, NativeCode code,
                    NativeCode async_code);
    // Methods of functions that stand for calling them.
    BoxType& call_method(Names& names, std::string_view aliases, NativeCode code);
    BoxType& property(Names& names, std::string_view aliases, NativeCode code);

    const NativeFunction* constructor() const noexcept { return constructor_ ? &*constructor_ : nullptr; }
    Method find_method(Name name) const;
    // The same without what every value has.
    Method find_own_method(Name name) const;
    // A method written in Nyash.
    void define(Name name, Function& method) { methods_[name] = Method{nullptr, &method}; }
    const std::unordered_map<Name, Method>& own_methods() const noexcept { return methods_; }
    const NativeFunction* find_property(Name name) const;
    // For "did you mean".
    virtual std::vector<std::string_view> method_names() const;
    std::vector<std::string_view> property_names() const;
    // What this type itself declares, for those who list it; by name.
    std::vector<const NativeFunction*> native_methods() const;
    std::vector<const NativeFunction*> native_properties() const;

private:
    std::string name_;
    const BoxType* inherited_;
    Kind kind_;
    std::unique_ptr<NativeFunction> constructor_;
    std::vector<std::unique_ptr<NativeFunction>> functions_;
    std::unordered_map<Name, Method> methods_;
    std::unordered_map<Name, const NativeFunction*> properties_;
};

// All types there are: those of plain values, and by name those that `new` can make.
class BoxTypes {
public:
    BoxTypes(Names& names, BoxType& any) : names_(names), any_(any) {}

    BoxType& add(std::string name);
    // A type that lives elsewhere; one of the same name is forgotten.
    void adopt(BoxType& type);
    // Counts the calls of adopt: what was found by name before may have changed.
    std::uint32_t version() const noexcept { return version_; }
    // The methods every value has.
    BoxType& any() noexcept { return any_; }
    BoxType* find(Name name) const;
    // A type known to exist.
    const BoxType& named(std::string_view name) const;
    std::vector<std::string_view> constructible_names() const;
    // Every type but any(), by name.
    std::vector<const BoxType*> all() const;
    // "did you mean 'ArrayBox'?" for `Array`, `ArayBox` and the like; or empty.
    std::string suggestion(Name name) const;
    Names& names() noexcept { return names_; }

private:
    Names& names_;
    BoxType& any_;
    std::vector<std::unique_ptr<BoxType>> types_;
    std::unordered_map<Name, BoxType*> by_name_;
    std::uint32_t version_ = 0;
};

}  // namespace nyash
