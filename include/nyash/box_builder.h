// BoxBuilder: a C++ class as a box that scripts can make.
//
//     struct Counter {
//         explicit Counter(int start) : value(start) {}
//         void add(int n) { value += n; }
//         int value;
//     };
//     interpreter.box<Counter>("CounterBox")
//         .constructor<int>()
//         .method("add", &Counter::add)
//         .property("value", &Counter::value);
//
// The script's `new CounterBox(5)` makes a Counter that lives until the last reference to it goes. Arguments
// are converted by FromScript (script_value.h); a parameter `Counter&` takes a box of that class. Wrong counts
// and types are script errors, as with built-in boxes, and so is whatever the C++ code throws: a
// std::exception by its what(). A function may also return std::expected<T, std::string> to fail.
#pragma once

#include <nyash/script_value.h>

#include <cstddef>
#include <exception>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace nyash {
namespace detail {

// What C++ code answers to a script: a value, or why not. `argument` names the one that was wrong.
struct NativeFailure {
    static constexpr std::size_t kNoArgument = static_cast<std::size_t>(-1);
    std::string text;
    std::size_t argument = kNoArgument;
};
template <class T>
using NativeResult = std::expected<T, NativeFailure>;
using NativeCode = std::function<NativeResult<ScriptValue>(void* self, std::span<const ScriptValue>)>;
using NativeMaker = std::function<NativeResult<std::shared_ptr<void>>(std::span<const ScriptValue>)>;

// One box being declared; the interpreter implements it. `parameters` are names with spaces between.
class BoxTable {
public:
    virtual ~BoxTable() = default;
    virtual void constructor(const std::string& parameters, NativeMaker make) = 0;
    virtual void method(std::string_view name, const std::string& parameters, NativeCode code) = 0;
    virtual void property(std::string_view name, NativeCode code) = 0;
};

// ---- what a function takes and gives ----

template <class... P>
struct Types {
    static constexpr std::size_t kCount = sizeof...(P);
};

template <class F>
struct Signature : Signature<decltype(&F::operator())> {};  // a lambda
template <class R, class... P>
struct Signature<R (*)(P...)> {
    using Parameters = Types<P...>;
};
template <class R, class... P>
struct Signature<R (*)(P...) noexcept> : Signature<R (*)(P...)> {};
template <class R, class C, class... P>
struct Signature<R (C::*)(P...)> : Signature<R (*)(P...)> {};
template <class R, class C, class... P>
struct Signature<R (C::*)(P...) const> : Signature<R (*)(P...)> {};
template <class R, class C, class... P>
struct Signature<R (C::*)(P...) noexcept> : Signature<R (*)(P...)> {};
template <class R, class C, class... P>
struct Signature<R (C::*)(P...) const noexcept> : Signature<R (*)(P...)> {};
template <class F>
using ParametersOf = typename Signature<std::decay_t<F>>::Parameters;

template <class T>
struct WithoutFirst;
template <class First, class... Rest>
struct WithoutFirst<Types<First, Rest...>> {
    using Type = Types<Rest...>;
};

// The names of parameters, as the script's errors and named arguments use them.
inline std::string parameter_names(std::string_view given, std::size_t count) {
    std::string names(given);
    if (!given.empty()) return names;
    for (std::size_t i = 1; i <= count; ++i) names += (i > 1 ? " argument" : "argument") + std::to_string(i);
    return names;
}

// ---- one argument ----

template <class P>
struct Argument {
    using T = std::remove_cvref_t<P>;
    static constexpr bool is_converted = requires { FromScript<T>::kName; };
    using Stored = std::conditional_t<is_converted, std::optional<T>, T*>;

    static Stored read(const ScriptValue& value) {
        if constexpr (is_converted) {
            return FromScript<T>::from(value);
        } else {
            return value.native<T>();
        }
    }
    static std::string wanted() {
        if constexpr (is_converted) {
            return std::string(FromScript<T>::kName);
        } else {
            return "another box";
        }
    }
    static decltype(auto) pass(Stored& stored) {
        if constexpr (is_converted && !std::is_lvalue_reference_v<P>) {
            return std::move(*stored);
        } else {
            return *stored;
        }
    }
};

// ---- results ----

template <class T>
struct IsExpected : std::false_type {};
template <class T>
struct IsExpected<std::expected<T, std::string>> : std::true_type {};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};

template <class T>
NativeResult<ScriptValue> result_of(T&& result) {
    using Plain = std::remove_cvref_t<T>;
    if constexpr (IsExpected<Plain>::value) {
        if (!result) return std::unexpected(NativeFailure{result.error()});
        if constexpr (std::is_void_v<typename Plain::value_type>) {
            return ScriptValue::nothing();
        } else {
            return result_of(*std::forward<T>(result));
        }
    } else if constexpr (IsOptional<Plain>::value) {
        return result ? result_of(*std::forward<T>(result)) : NativeResult<ScriptValue>(ScriptValue());
    } else if constexpr (IsVector<Plain>::value) {
        nya::Json::Array items;
        for (auto& item : result) items.push_back(nya::Json(item));
        return ScriptValue(nya::Json(std::move(items)));
    } else {
        return ScriptValue(std::forward<T>(result));
    }
}

// Converts the arguments, calls, converts the result; no exception leaves. `give` turns what `call` returned into the
// result.
template <class... P, class Call>
auto guarded(Types<P...>, std::span<const ScriptValue> arguments, Call&& call) {
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
        using Result = decltype(call(Argument<P>::pass(std::declval<typename Argument<P>::Stored&>())...));
        [[maybe_unused]] std::tuple<typename Argument<P>::Stored...> stored{Argument<P>::read(arguments[I])...};
        std::optional<NativeFailure> failure;
        // The first argument that is not what the function takes.
        (void)((std::get<I>(stored) ? true : (failure.emplace(Argument<P>::wanted(), I), false)) && ... && true);
        if (failure) return Result(std::unexpected(std::move(*failure)));
        try {
            return call(Argument<P>::pass(std::get<I>(stored))...);
        } catch (const std::exception& thrown) {
            return Result(std::unexpected(NativeFailure{thrown.what()}));
        } catch (...) {
            return Result(std::unexpected(NativeFailure{"The native code failed"}));
        }
    }(std::index_sequence_for<P...>{});
}

// Calls anything as the C++ it is; what it gives, as a script's value.
template <class F, class... A>
NativeResult<ScriptValue> call_native(F&& function, A&&... arguments) {
    using Returned = std::invoke_result_t<F&, A...>;
    if constexpr (std::is_void_v<Returned>) {
        std::invoke(function, std::forward<A>(arguments)...);
        return ScriptValue::nothing();
    } else {
        return result_of(std::invoke(function, std::forward<A>(arguments)...));
    }
}

template <class F>
NativeCode native_function(F function) {
    return [function = std::move(function)](void*, std::span<const ScriptValue> arguments) mutable {
        return guarded(ParametersOf<F>{}, arguments, [&]<class... A>(A&&... converted) {
            return call_native(function, std::forward<A>(converted)...);
        });
    };
}

}  // namespace detail

template <class T>
class BoxBuilder {
public:
    // What `new Name(…)` takes. Without a constructor scripts cannot make the box.
    template <class... P>
    BoxBuilder& constructor(std::string_view parameters = {}) {
        table_->constructor(
            detail::parameter_names(parameters, sizeof...(P)), [](std::span<const ScriptValue> arguments) {
                return detail::guarded(detail::Types<P...>{}, arguments,
                                       []<class... A>(A&&... converted) -> detail::NativeResult<std::shared_ptr<void>> {
                                           return std::make_shared<T>(std::forward<A>(converted)...);
                                       });
            });
        return *this;
    }

    // A member function, or any function whose first parameter is T&. `parameters` names the others, with spaces
    // between: then scripts may use them as named arguments, and errors speak of them.
    template <class F>
    BoxBuilder& method(std::string_view name, F function, std::string_view parameters = {}) {
        using Parameters = typename MethodParameters<F>::Type;
        table_->method(name, detail::parameter_names(parameters, Parameters::kCount),
                       [function = std::move(function)](void* self, std::span<const ScriptValue> arguments) mutable {
                           return detail::guarded(Parameters{}, arguments, [&]<class... A>(A&&... converted) {
                               return detail::call_native(function, *static_cast<T*>(self),
                                                          std::forward<A>(converted)...);
                           });
                       });
        return *this;
    }

    // What `box.name` reads: a data member, a member function without parameters, or a function of T&.
    template <class F>
    BoxBuilder& property(std::string_view name, F getter) {
        table_->property(name, [getter = std::move(getter)](void* self, std::span<const ScriptValue> none) mutable {
            return detail::guarded(detail::Types<>{}, none,
                                   [&] { return detail::call_native(getter, *static_cast<T*>(self)); });
        });
        return *this;
    }

private:
    friend class Interpreter;
    explicit BoxBuilder(std::unique_ptr<detail::BoxTable> table) : table_(std::move(table)) {}

    template <class F>
    struct MethodParameters : detail::WithoutFirst<detail::ParametersOf<F>> {};
    template <class F>
        requires std::is_member_function_pointer_v<F>
    struct MethodParameters<F> {
        using Type = detail::ParametersOf<F>;
    };

    std::unique_ptr<detail::BoxTable> table_;
};

}  // namespace nyash
