// Declarations: what the compiler makes of box, interface and include.
//
// They are the part of a program that is not instructions: a box's head, its fields and the code of its
// methods. declare_box() (box_declaration.h) checks one against the boxes known by then and makes the
// ScriptBox that instances point at; the runtime does so before the program runs for what stands at the
// top level, and Op::DeclareBox for the rest.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "nyash/runtime/bytecode.h"
#include "nyash/runtime/string.h"

namespace nyash {

class ScriptBox;

struct NameAt {
    Name name = nullptr;
    Span span;
};

struct BoxProto {
    struct Field {
        Name name = nullptr;
        Span span;
        bool is_weak = false;
        bool is_public = false;  // named in a public{} block
        std::unique_ptr<Proto> initializer;
    };
    struct Method {
        Name name = nullptr;
        Span span;
        bool is_override = false;
        std::unique_ptr<Proto> code;
    };

    std::shared_ptr<const Source> source;
    NameAt name;
    bool is_static = false;
    bool restricts_visibility = false;
    std::vector<Name> type_parameters;
    std::vector<NameAt> parents;
    std::vector<NameAt> interfaces;
    std::vector<Field> fields;
    std::vector<Method> methods;
    std::vector<Method> static_methods;
    std::vector<Method> constructors;  // one, or an error at declaration
    std::vector<std::unique_ptr<Proto>> static_blocks;

    mutable ScriptBox* declared = nullptr;  // made of this by declare_box() last
};

struct InterfaceProto {
    struct Method {
        Name name = nullptr;
        std::size_t parameters = 0;
    };
    std::shared_ptr<const Source> source;
    NameAt name;
    std::vector<Method> methods;
};

// `include "path"` and `using name`.
struct Reference {
    std::string text;
    std::string alias;  // of `using … as alias`
    Span span;
};

}  // namespace nyash
