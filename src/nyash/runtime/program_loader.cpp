// Loading programs: everything between a syntax tree and running code.
//
// Declarations at the top level are made known before the first statement runs, those of included files
// first, so that a box may be used above its declaration and may have a parent from another file. Boxes are
// declared parents first, whatever their order in the text.
#include <filesystem>
#include <map>

#include <nya/expected.h>

#include "nyash/runtime/box_declaration.h"
#include "nyash/runtime/compiler.h"
#include "nyash/runtime/resolver.h"
#include "nyash/runtime/runtime.h"
#include "nyash/syntax/parser.h"

namespace nyash {
namespace {

namespace fs = std::filesystem;

// Files that include each other, nested.
constexpr std::size_t kMaxFiles = 10'000;

std::unexpected<LoadError> load_error(const Source& source, const Diagnostic& diagnostic) {
    return std::unexpected(LoadError{render(source, diagnostic)});
}

// What stands for Owner in Owner.method().
class StaticOwner final : public Object {
public:
    explicit StaticOwner(const BoxType& type) : Object(type) {}
};

}  // namespace

std::expected<const Proto*, LoadError> Runtime::load(Program program) {
    // A main program that is a file counts as loaded and run, in case something includes it.
    std::error_code error;
    const fs::path path = fs::canonical(program.source->name(), error);
    if (!error && fs::is_regular_file(path, error)) files_.try_emplace(path.string(), File{nullptr, true});
    return load_included(std::move(program));
}

std::expected<const Proto*, LoadError> Runtime::load_included(Program program) {
    const auto source = program.source;
    if (auto resolved = resolve(program, options_.strict_variables); !resolved)
        return load_error(*source, resolved.error());
    auto compiled = compile(program, *this);
    if (!compiled) return load_error(*source, compiled.error());
    programs_.push_back(std::move(*compiled));
    const Proto& main = *programs_.back();
    if (auto declared = declare(main); !declared) return std::unexpected(std::move(declared.error()));
    return &main;
}

std::expected<void, LoadError> Runtime::declare(const Proto& main) {
    for (const std::size_t at : main.declarations) {
        const Instruction& i = main.code[at];
        if (i.op == Op::Include) {
            const Reference& reference = main.references[i.a];
            std::string tried;
            auto file = find_included(*main.source, reference, tried);
            if (!file) return std::unexpected(std::move(file.error()));
            if (!*file) {
                return load_error(*main.source, {"Cannot include '" + reference.text + "': no such file",
                                                 reference.span,
                                                 "looked for " + tried,
                                                 {}});
            }
        } else if (i.op == Op::DeclareInterface) {
            if (auto done = declare_interface(*this, *main.interfaces[i.a]); !done)
                return load_error(*main.source, done.error());
        } else if (i.op == Op::DeclareFunction) {
            globals_[i.b].declared = Value(make<Function>(heap_, core_.function_type, *main.lambdas[i.a]));
        }
    }
    if (auto declared = declare_boxes(main); !declared) return declared;
    for (const std::size_t at : main.declarations) {
        const Instruction& i = main.code[at];
        if (i.op == Op::DeclareStatic) {
            const CallSite& site = main.sites[i.b];
            declare_static(site.parent, site.name, *main.lambdas[i.a], nullptr);
        }
    }
    return {};
}

// Parents first: a box waits until those of its parents that this program declares are declared.
std::expected<void, LoadError> Runtime::declare_boxes(const Proto& main) {
    std::vector<const BoxProto*> waiting;
    for (const std::size_t at : main.declarations) {
        if (main.code[at].op == Op::DeclareBox) waiting.push_back(main.boxes[main.code[at].a].get());
    }
    while (!waiting.empty()) {
        std::map<Name, std::size_t> undeclared;
        for (const BoxProto* box : waiting) ++undeclared[box->name.name];
        std::vector<const BoxProto*> later;
        for (const BoxProto* box : waiting) {
            bool waits = false;
            for (const NameAt& parent : box->parents)
                waits = waits || (parent.name != box->name.name && undeclared.contains(parent.name));
            if (waits) {
                later.push_back(box);
                continue;
            }
            if (auto declared = declare_box(*this, *box); !declared) return load_error(*main.source, declared.error());
            if (--undeclared[box->name.name] == 0) undeclared.erase(box->name.name);
        }
        if (later.size() == waiting.size()) {
            const BoxProto& box = *later.front();
            return load_error(*main.source, {"The parents of '" + box.name.name->text() + "' lead back to it",
                                             box.parents.front().span,
                                             "a box cannot be its own ancestor",
                                             {}});
        }
        waiting = std::move(later);
    }
    return {};
}

Result Runtime::run(const Proto& main, const std::vector<std::string>& arguments) {
    Value value = NYA_TRY(vm_.run_main(main));
    const Name main_name = names_.intern("Main");
    ScriptBox* box = globals_[globals_.index(main_name)].static_box;
    const Name method_name = names_.intern("main");
    const Method method = box ? box->find_own_method(method_name) : Method{};
    if (!method) return value;
    const Value self = NYA_TRY(vm_.static_instance(*box));
    const Proto& code = method.script->proto;
    if (code.parameters > 1) {
        ScriptError error(error_kind::kArguments,
                          "main expects no or one parameter, not " + std::to_string(code.parameters),
                          "it receives one array with the arguments of the script");
        error->trace.push_back({&code, code.head});
        return std::unexpected(std::move(error));
    }
    if (code.parameters == 0) return vm_.invoke(self, method_name, {});
    auto list = array();
    for (const std::string& argument : arguments) list->items.emplace_back(string(argument));
    const Value argument(list);
    return vm_.invoke(self, method_name, {&argument, 1});
}

// ---- include and using ----

std::expected<Runtime::File*, LoadError> Runtime::find_included(const Source& from, const Reference& reference,
                                                                std::string& tried) {
    const std::string& path = reference.text;
    const auto refused = [&](const std::string& why, std::string help = {}) {
        return load_error(from, {"Cannot include '" + path + "': " + why, reference.span, std::move(help), {}});
    };
    const fs::path directory = fs::path(from.name()).parent_path();
    std::vector<fs::path> places{directory / path};
    if (!fs::path(path).is_absolute()) {
        places.push_back((directory.empty() ? fs::path("..") : directory / "..") / path);
        places.emplace_back(path);
    }
    for (const fs::path& place : places) {
        std::error_code error;
        const std::string shown = place.lexically_normal().string();
        if (tried.find("'" + shown + "'") == std::string::npos) tried += (tried.empty() ? "'" : ", '") + shown + "'";
        if (!fs::exists(place, error)) continue;
        if (fs::is_directory(place, error)) return refused("it is a directory", "name a file in it");
        const fs::path canonical = fs::canonical(place, error);
        if (auto known = files_.find(canonical.string()); known != files_.end()) return &known->second;
        if (files_.size() >= kMaxFiles) return refused("more than 10000 files are included");
        auto text = options_.channels.read_file(shown);
        if (!text) return refused(text.error());
        const auto source = std::make_shared<const Source>(shown, std::move(*text));
        auto program = parse(source);
        if (!program) return load_error(*source, program.error());
        // Known before its own includes are loaded: files may include each other.
        File& file = files_[canonical.string()];
        auto main = load_included(std::move(*program));
        if (!main) {
            files_.erase(canonical.string());
            return std::unexpected(std::move(main.error()));
        }
        file.main = *main;
        return &file;
    }
    return nullptr;
}

Done Runtime::include(const Source& from, const Reference& reference) {
    std::string tried;
    auto found = find_included(from, reference, tried);
    if (!found) {
        ScriptError error(error_kind::kDeclaration, "Cannot include '" + reference.text + "'");
        error->is_fatal = true;
        error->report = std::move(found.error().text);
        return std::unexpected(std::move(error));
    }
    if (!*found) {
        return fail(error_kind::kOperation, "Cannot include '" + reference.text + "': no such file",
                    "looked for " + tried);
    }
    File& file = **found;
    if (file.has_run || !file.main) return {};
    file.has_run = true;
    auto result = vm_.run_main(*file.main);
    if (!result) return std::unexpected(std::move(result.error()));
    return {};
}

Done Runtime::use(const Reference& reference) {
    if (enable_namespace_) return enable_namespace_(*this, reference.text);
    return fail(error_kind::kUndefined, "Unknown namespace '" + reference.text + "'");
}

// ---- declarations ----

ScriptBox& Runtime::keep(std::unique_ptr<ScriptBox> box) {
    boxes_.push_back(std::move(box));
    make_known(*boxes_.back());
    return *boxes_.back();
}

void Runtime::make_known(ScriptBox& box) {
    types_.adopt(box);
    auto& slot = globals_[globals_.index(box.proto.name.name)];
    if (!box.is_static()) {
        if (slot.static_box) slot.declared = Value();
        slot.static_box = nullptr;
        return;
    }
    slot.static_box = &box;
    slot.declared = box.singleton ? Value(box.singleton) : Value();
}

const InterfaceProto* Runtime::find_interface(Name name) const {
    const auto found = interfaces_.find(name);
    return found == interfaces_.end() ? nullptr : found->second;
}

std::vector<std::string_view> Runtime::interface_names() const {
    std::vector<std::string_view> names;
    for (const auto& [name, proto] : interfaces_) names.push_back(name->text());
    return names;
}

void Runtime::declare_static(Name owner, Name name, const Proto& code, ScriptBox* home) {
    auto& slot = globals_[globals_.index(owner)];
    const auto known = static_types_.find(owner);
    const BoxType* before = slot.static_box                ? slot.static_box
                            : known != static_types_.end() ? known->second.get()
                                                           : nullptr;
    // Declared again by a loop or a call: nothing changes.
    if (const Method same = before ? before->find_own_method(name) : Method{};
        same.script && &same.script->proto == &code)
        return;
    auto function = make<Function>(heap_, core_.function_type, code, home);
    statics_.push_back(function);
    if (slot.static_box) return slot.static_box->define(name, *function);
    auto& type = static_types_[owner];
    if (!type) type = std::make_unique<BoxType>(owner->text(), &types_.any());
    type->define(name, *function);
    if (slot.declared.is_undefined()) slot.declared = Value(make<StaticOwner>(*type));
}

Ref<Instance> Runtime::instance(ScriptBox& box) {
    return Instance::create(heap_, box, ++instances_);
}

Ref<Instance> Runtime::copy(const Instance& instance) {
    return instance.copy(heap_, ++instances_);
}

}  // namespace nyash
