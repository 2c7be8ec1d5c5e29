// CodeWriter: instructions, registers and constants of the functions being compiled.
//
// What the compiler decides, this writes down: it hands out registers, keeps each literal once, fills in
// where jumps go, and knows the limits of the bytecode.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "nyash/runtime/runtime.h"
#include "nyash/syntax/ast.h"
#include "nyash/syntax/diagnostic.h"
#include "nyash/syntax/variable.h"

namespace nyash {

// Thrown to leave the compiler at the first error, caught in compile().
struct CompileError {
    Diagnostic diagnostic;
};

using Register = std::uint16_t;
using Operand = std::uint16_t;           // a register or a constant
using Label = std::vector<std::size_t>;  // jumps that wait for their target

// A loop being compiled: where its jumps go, and which registers leaving it must empty.
struct LoopState {
    Label breaks;
    Label continues;
    Register first_local;
};

// A try statement with a finally block being compiled. Whatever leaves the protected part (its end, an error,
// return, break, continue) notes in a register how it left, and jumps to the one copy of the finally block;
// behind that block stands the dispatch that goes on with it.
struct FinallyState {
    enum Exit : std::uint8_t { End, Error, Return, Break, Continue };
    static constexpr std::size_t kExits = 5;

    Register exit;      // which of the above, as an Integer
    Register pending;   // the caught error, or the value to return
    std::size_t loops;  // how many loops were open around it
    Label to_finally;
    bool is_used[kExits] = {};
};

// Everything about the function being compiled.
struct FunctionState {
    FunctionState(FunctionNode& n, FunctionState* e) : node(n), enclosing(e) {}

    FunctionNode& node;
    FunctionState* enclosing;
    std::unique_ptr<Proto> proto = std::make_unique<Proto>();
    Register next = 0;        // first free register
    Register locals_end = 0;  // registers below hold variables, at and above temporaries
    Register dirty_end = 0;   // temporaries below may still hold an object after this statement
    int blocks = 0;           // how many blocks we are inside of
    std::vector<LoopState> loops;
    std::vector<FinallyState> finallies;
    std::map<const Variable*, std::uint16_t> captures;
    std::map<std::pair<int, std::uint64_t>, std::uint16_t> numbers;  // constants by kind and bits
    std::map<std::string, std::uint16_t, std::less<>> texts;
};

class CodeWriter {
protected:
    explicit CodeWriter(Runtime& runtime) : runtime_(runtime) {}

    [[noreturn]] static void fail(Span span, std::string message, std::string help = {}) {
        throw CompileError{{std::move(message), span, std::move(help), {}}};
    }

    // ---- writing instructions ----

    Proto& proto() { return *f_->proto; }

    std::size_t emit(Instruction instruction, Span span) {
        proto().code.push_back(instruction);
        proto().spans.push_back(span);
        return proto().code.size() - 1;
    }
    std::size_t emit(Op op, Span span, std::uint16_t a = 0, std::uint16_t b = 0, std::uint16_t c = 0,
                     std::size_t n = 0) {
        return emit(Instruction{op, static_cast<std::uint8_t>(n), a, b, c}, span);
    }
    std::size_t emit_wide(Op op, Span span, std::uint16_t a, std::int32_t wide) {
        Instruction instruction{op};
        instruction.a = a;
        instruction.set_wide(wide);
        return emit(instruction, span);
    }

    std::size_t here() { return proto().code.size(); }
    void jump(Label& label, Span span, Op op = Op::Jump, Register a = 0) { label.push_back(emit_wide(op, span, a, 0)); }
    void land(const Label& label) { land_at(label, here()); }
    void land_at(const Label& label, std::size_t target) {
        for (const std::size_t at : label) {
            proto().code[at].set_wide(static_cast<std::int32_t>(target) - static_cast<std::int32_t>(at) - 1);
        }
    }
    void jump_back(std::size_t target, Span span) {
        const Label one{emit_wide(Op::JumpBack, span, 0, 0)};
        land_at(one, target);
    }

    // ---- registers, constants, call sites ----

    Register take(Span span, std::size_t count = 1) {
        const Register first = f_->next;
        if (first + count > kMaxRegisters) {
            fail(span, "The function needs too many variables (more than 4096)", "split it into smaller functions");
        }
        f_->next = static_cast<Register>(first + count);
        proto().registers = std::max(proto().registers, f_->next);
        return first;
    }
    bool is_temporary(Register r) const { return r >= f_->locals_end; }
    // Register r may now hold an object.
    void soil(Register r) {
        if (is_temporary(r)) f_->dirty_end = std::max<Register>(f_->dirty_end, static_cast<Register>(r + 1));
    }

    static bool is_constant(Operand operand) { return (operand & kConstantBit) != 0; }

    Operand constant(Value value, Span span) {
        auto& constants = proto().constants;
        if (constants.size() >= kMaxOperand) {
            fail(span, "The function has too many constants (more than 32767)", "split it into smaller functions");
        }
        constants.push_back(std::move(value));
        return static_cast<Operand>((constants.size() - 1) | kConstantBit);
    }
    Operand number_constant(Value value, Span span) {
        const int kind = static_cast<int>(value.tag());
        const std::uint64_t bits = value.is_float() ? std::bit_cast<std::uint64_t>(value.as_float())
                                                    : static_cast<std::uint64_t>(value.as_integer());
        auto [entry, added] = f_->numbers.try_emplace({kind, bits}, 0);
        if (added) entry->second = constant(std::move(value), span);
        return entry->second;
    }
    Operand text_constant(const std::string& text, Span span) {
        if (auto found = f_->texts.find(text); found != f_->texts.end()) return found->second;
        const Operand operand = constant(Value(runtime_.names().intern(text)), span);
        f_->texts.emplace(text, operand);
        return operand;
    }

    CallSite& site_at(std::uint16_t index) { return proto().sites[index]; }
    std::uint16_t site(const std::string& name, const std::vector<Argument>& arguments, Span span) {
        if (proto().sites.size() >= kMaxOperand) {
            fail(span, "The function has too many calls (more than 32767)", "split it into smaller functions");
        }
        CallSite site;
        site.name = runtime_.names().intern(name);
        const auto has_label = [](const Argument& argument) { return !argument.name.empty(); };
        if (std::ranges::any_of(arguments, has_label)) {
            for (const auto& argument : arguments) {
                site.labels.push_back(argument.name.empty() ? nullptr : runtime_.names().intern(argument.name));
            }
        }
        proto().sites.push_back(std::move(site));
        return static_cast<std::uint16_t>(proto().sites.size() - 1);
    }

    std::uint16_t global(const std::string& name, Span span) {
        const std::size_t index = runtime_.globals().index(runtime_.names().intern(name));
        if (index > UINT16_MAX) fail(span, "The program has too many global names (more than 65536)");
        return static_cast<std::uint16_t>(index);
    }

    Runtime& runtime_;
    FunctionState* f_ = nullptr;
};

}  // namespace nyash
