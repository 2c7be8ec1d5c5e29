// Runtime: everything one running Nyash has. Nothing in the interpreter is global to the process, so
// several runtimes live side by side (one per thread, or nested in tests).
//
// It starts with what the language itself needs (strings, arrays, maps, functions, errors). The floors
// above add the built-in boxes through types(), before the first script is loaded.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <nya/clock.h>
#include <nya/random.h>

#include "nyash/runtime/array.h"
#include "nyash/runtime/box_type.h"
#include "nyash/runtime/event_loop.h"
#include "nyash/runtime/function.h"
#include "nyash/runtime/future.h"
#include "nyash/runtime/globals.h"
#include "nyash/runtime/map.h"
#include "nyash/runtime/object.h"
#include "nyash/runtime/script_box.h"
#include "nyash/runtime/string.h"
#include "nyash/runtime/vm.h"
#include "nyash/syntax/ast.h"
#include "nyash/syntax/diagnostic.h"

namespace nyash {

// The bounds a script runs within.
struct Limits {
    std::uint64_t max_steps = UINT64_MAX;      // calls and turns of loops; the default is no limit
    std::size_t max_text_bytes = 256U << 20U;  // of one string
    std::size_t max_call_depth = 1000;
};

// Where a script's output goes, and where its input comes from.
struct Channels {
    std::function<void(std::string_view)> out;
    std::function<void(std::string_view)> err;
    std::function<bool(std::string&)> read_line;  // false at the end of the input
    // The text of a file that is included, or a sentence saying why it cannot be read.
    std::function<std::expected<std::string, std::string>(const std::string& path)> read_file;
    bool colours = false;  // in what Runtime::report() writes to err
};

// The types the runtime itself makes objects of.
struct CoreTypes {
    BoxType& null_type;
    BoxType& void_type;
    BoxType& bool_type;
    BoxType& integer_type;
    BoxType& float_type;
    BoxType& string_type;
    BoxType& array_type;
    BoxType& map_type;
    BoxType& function_type;
    BoxType& method_type;
    BoxType& error_type;
    BoxType& future_type;
    // Made with every message, so not looked for by name; the floors above say what they are.
    const BoxType* result_type = nullptr;
    const BoxType* intent_type = nullptr;
    BoxType cell_type{"Cell"};
    BoxType weak_type{"WeakReference"};
    BoxType caught_type{"CaughtError"};
};

// An error as a value: what `new ErrorBox(message)` makes and `catch` receives.
class ErrorBox final : public Container {
public:
    ErrorBox(Heap& heap, const BoxType& type, std::string k, std::string m)
        : Container(heap, type), kind(std::move(k)), message(std::move(m)) {}
    std::string kind;
    std::string message;
    std::string reason;         // finer than the kind; empty when there is nothing finer
    std::string hint;           // what to do about it
    bool is_retryable = false;  // the same thing may succeed later
    std::int64_t line = 0;      // where it was raised; 0: unknown
    void write(TextWriter& out) const override;
    void clear() noexcept override {}
};

// A program that cannot be run: a syntax or declaration error, as a person reads it.
struct LoadError {
    std::string text;
};

class Runtime {
public:
    struct Options {
        Channels channels;
        Limits limits;
        bool strict_variables = false;  // assigning a name nobody declared is an error
        std::shared_ptr<nya::Clock> clock = nya::Clock::system();
        std::shared_ptr<nya::Random> random = nya::Random::system();
        std::function<std::int64_t()> wall_clock_ms;  // milliseconds since 1970, UTC
        bool allow_files = true;                      // whether scripts may make a FileBox
        bool allow_network = true;                    // whether their nodes may leave the process
    };

    explicit Runtime(Options options);
    ~Runtime();
    Runtime(const Runtime&) = delete;
    Runtime& operator=(const Runtime&) = delete;

    Names& names() noexcept { return names_; }
    BoxTypes& types() noexcept { return types_; }
    const CoreTypes& core() const noexcept { return core_; }
    CoreTypes& core() noexcept { return core_; }
    Heap& heap() noexcept { return heap_; }
    Globals& globals() noexcept { return globals_; }
    // Shared, because a node may outlive the runtime by a moment and still ask its executor.
    const std::shared_ptr<EventLoop>& loop() noexcept { return loop_; }
    Vm& vm() noexcept { return vm_; }
    const Options& options() const noexcept { return options_; }
    const Limits& limits() const noexcept { return options_.limits; }
    Channels& channels() noexcept { return options_.channels; }
    nya::Clock& clock() noexcept { return *options_.clock; }
    nya::Random& random() noexcept { return *options_.random; }
    std::int64_t wall_clock_ms() { return options_.wall_clock_ms(); }
    bool allows_files() const noexcept { return options_.allow_files; }
    bool allows_network() const noexcept { return options_.allow_network; }

    // A global function such as isType, for the floors above to declare.
    void define_function(std::string_view name, std::string_view signature, NativeCode code);

    Ref<String> string(std::string text) { return make<String>(core_.string_type, std::move(text)); }
    Ref<Array> array() { return make<Array>(heap_, core_.array_type); }
    Ref<Map> map() { return make<Map>(heap_, core_.map_type); }
    Ref<ErrorBox> error(std::string kind, std::string message) {
        return make<ErrorBox>(heap_, core_.error_type, std::move(kind), std::move(message));
    }

    Ref<Future> future() { return make<Future>(heap_, core_.future_type); }

    const BoxType& type_of(const Value& value) const noexcept {
        return value.tag() >= Value::Tag::String ? value.as_object().type()
                                                 : *plain_types_[static_cast<std::size_t>(value.tag())];
    }

    // Resolves, compiles and keeps a parsed program, and the files it includes at its top level. What they declare
    // is known from now on.
    std::expected<const Proto*, LoadError> load(Program program);
    // Runs a loaded program as LANGUAGE, section 9, says: its top level, then the method main of the static box Main.
    // The value of main, or that of the last statement.
    Result run(const Proto& main, const std::vector<std::string>& arguments = {});
    // `include`: finds the file, loads it unless that was done, and runs it unless that was done.
    Done include(const Source& from, const Reference& reference);
    // `using`: what enables a namespace, set by the floor above; else none is known.
    using EnableNamespace = Done (*)(Runtime& runtime, std::string_view name);
    void on_using(EnableNamespace enable) { enable_namespace_ = enable; }
    Done use(const Reference& reference);

    // Declarations. `keep` owns a box from now on and makes it known.
    ScriptBox& keep(std::unique_ptr<ScriptBox> box);
    void make_known(ScriptBox& box);
    void add_interface(const InterfaceProto& proto) { interfaces_[proto.name.name] = &proto; }
    const InterfaceProto* find_interface(Name name) const;
    std::vector<std::string_view> interface_names() const;
    // `static function Owner.name`, and the static methods of a box: called as Owner.name().
    void declare_static(Name owner, Name name, const Proto& code, ScriptBox* home);
    Ref<Instance> instance(ScriptBox& box);
    Ref<Instance> copy(const Instance& instance);

    // How an uncaught error reads, with the source line and the calls that led there.
    std::string describe(const ScriptError& error);
    std::string message_of(const ScriptError& error);
    void report(const ScriptError& error, std::string_view where = {});

private:
    struct File {
        const Proto* main = nullptr;
        bool has_run = false;
    };

    std::expected<const Proto*, LoadError> load_included(Program program);
    std::expected<void, LoadError> declare(const Proto& main);
    std::expected<void, LoadError> declare_boxes(const Proto& main);
    // The file an include means, loaded; null when there is none, its tries in `tried`.
    std::expected<File*, LoadError> find_included(const Source& from, const Reference& reference, std::string& tried);

    Options options_;
    BoxType any_type_{"Box"};
    BoxType string_type_{"StringBox", &any_type_};
    Names names_{string_type_};
    BoxTypes types_{names_, any_type_};
    CoreTypes core_;
    const BoxType* plain_types_[Value::kTags];
    Heap heap_;
    Globals globals_;
    std::vector<std::unique_ptr<NativeFunction>> functions_;
    std::vector<std::unique_ptr<Proto>> programs_;
    std::vector<std::unique_ptr<ScriptBox>> boxes_;
    std::unordered_map<Name, const InterfaceProto*> interfaces_;
    std::unordered_map<Name, std::unique_ptr<BoxType>> static_types_;  // of what stands for a box in Box.method()
    std::vector<Ref<Function>> statics_;
    std::unordered_map<std::string, File> files_;  // included ones, by canonical path
    EnableNamespace enable_namespace_ = nullptr;
    std::uint64_t instances_ = 0;
    std::shared_ptr<EventLoop> loop_;
    Vm vm_;
};

}  // namespace nyash
