// The disassembler: bytecode as people read it. It knows operands from the letters in NYASH_OPERATIONS.
#include <array>

#include "nyash/runtime/bytecode.h"
#include "nyash/runtime/declarations.h"
#include "nyash/runtime/globals.h"
#include "nyash/runtime/text_writer.h"

namespace nyash {
namespace {

struct Shape {
    std::string_view name;
    std::string_view operands;
};

constexpr auto kShapes = std::to_array<Shape>({
#define NYASH_OPERATION(name, operands, meaning) {#name, operands},
    NYASH_OPERATIONS(NYASH_OPERATION)
#undef NYASH_OPERATION
});

std::string padded(std::string text, std::size_t width) {
    if (text.size() < width) text.append(width - text.size(), ' ');
    return text;
}

std::string constant_text(const Value& value) {
    switch (value.tag()) {
        case Value::Tag::Void:
            return "void";
        case Value::Tag::Bool:
            return value.as_bool() ? "true" : "false";
        case Value::Tag::Integer:
            return std::to_string(value.as_integer());
        case Value::Tag::Float:
            return float_text(value.as_float());
        case Value::Tag::String:
            return "\"" + value.as_string().text() + "\"";
        default:
            return "null";
    }
}

class Disassembler {
public:
    explicit Disassembler(const Globals& globals) : globals_(globals) {}

    void proto(const Proto& proto) {
        out_ += "function " + (proto.name.empty() ? "(lambda)" : proto.name) + ": " + std::to_string(proto.parameters) +
                " parameters, " + std::to_string(proto.registers) + " registers, " +
                std::to_string(proto.captures.size()) + " captures\n";
        for (std::size_t at = 0; at < proto.code.size(); ++at) instruction(proto, at);
        for (const auto& handler : proto.handlers) {
            out_ += "  errors from " + std::to_string(handler.start) + " to " + std::to_string(handler.end) +
                    " go to " + std::to_string(handler.target) + ", in r" + std::to_string(handler.error) + "\n";
        }
        for (const auto& lambda : proto.lambdas) inner(*lambda);
        for (const auto& box : proto.boxes) {
            for (const auto& field : box->fields) {
                if (field.initializer) inner(*field.initializer);
            }
            for (const auto* list : {&box->constructors, &box->methods, &box->static_methods}) {
                for (const auto& method : *list) inner(*method.code);
            }
            for (const auto& block : box->static_blocks) inner(*block);
        }
    }
    std::string text() { return std::move(out_); }

private:
    void inner(const Proto& proto) {
        out_ += "\n";
        this->proto(proto);
    }

    void instruction(const Proto& proto, std::size_t at) {
        const Instruction& i = proto.code[at];
        const Shape& shape = kShapes[static_cast<std::size_t>(i.op)];
        const auto line = proto.source->line_of(proto.spans[at].offset);
        std::string text = padded("  " + std::to_string(at), 8) + padded("line " + std::to_string(line), 11) +
                           padded(std::string(shape.name), 19);
        const std::array<std::uint16_t, 3> fields{i.a, i.b, i.c};
        // n stands for itself and takes none of a, b, c; Test… operations use b and c.
        std::size_t field = shape.operands.starts_with('n') ? 1 : 0;
        for (const char letter : shape.operands) text += operand(proto, letter, i, at, fields, field) + " ";
        out_ += text;
        out_.back() = '\n';
    }

    std::string operand(const Proto& proto, char letter, const Instruction& i, std::size_t at,
                        const std::array<std::uint16_t, 3>& fields, std::size_t& field) const {
        switch (letter) {
            case 'n':
                return "n=" + std::to_string(i.n);
            case 'i':
                return std::to_string(i.wide());
            case 'j':
                return "to " + std::to_string(static_cast<std::int64_t>(at) + 1 + i.wide());
            case 'c':
                return constant_text(proto.constants[static_cast<std::size_t>(i.wide())]);
            default:
                break;
        }
        const std::uint16_t value = fields[field++];
        switch (letter) {
            case 'k':
                if (value & kConstantBit) return constant_text(proto.constants[value & ~kConstantBit]);
                return "r" + std::to_string(value);
            case 'g':
                return globals_[value].name->text();
            case 's': {
                const Name name = proto.sites[value].name;
                return name->text().empty() ? "" : "." + name->text();
            }
            case 'l':
                return "function#" + std::to_string(value);
            case 'u':
                return std::to_string(value);
            default:
                return "r" + std::to_string(value);
        }
    }

    const Globals& globals_;
    std::string out_;
};

}  // namespace

Proto::Proto() = default;
Proto::~Proto() = default;

std::string_view name_of(Op op) {
    return kShapes[static_cast<std::size_t>(op)].name;
}

std::string disassemble(const Proto& proto, const Globals& globals) {
    Disassembler disassembler(globals);
    disassembler.proto(proto);
    return disassembler.text();
}

}  // namespace nyash
