// Bytecode: what the compiler writes and the VM runs.
//
// A register machine. A call frame is a window of registers on one stack of Values: parameters first,
// then local variables, then temporaries. An instruction is eight bytes: an operation, a small number
// n, and three 16-bit operands a, b, c; b and c together can hold one 32-bit number.
//
// An operand written rk is a register, or, with kConstantBit set, a constant: arithmetic and
// comparison read literals in place. Registers, constants, call sites and globals are bounded by what
// 15 bits count; the compiler says so when a function exceeds that.
//
// To add an operation: give it a line in NYASH_OPERATIONS, teach Compiler to emit it, give
// Vm::run a case. The disassembler knows all it needs from the line.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "nyash/runtime/value.h"
#include "nyash/syntax/source.h"

namespace nyash {

class Function;
struct NativeFunction;

// name, operands as the disassembler shows them (r register, k rk, n small number, i 32-bit number,
// j jump, c constant, g global, s call site, l lambda, u plain number), what it does
#define NYASH_OPERATIONS(X)                                                                         \
    X(LoadConstant, "rc", "a = constant")                                                           \
    X(LoadInteger, "ri", "a = the 32-bit number")                                                   \
    X(LoadNull, "r", "a = null")                                                                    \
    X(LoadVoid, "r", "a = void")                                                                    \
    X(LoadTrue, "r", "a = true")                                                                    \
    X(LoadFalse, "r", "a = false")                                                                  \
    X(LoadMe, "r", "a = the object whose method runs")                                              \
    X(Move, "rr", "a = b")                                                                          \
    X(Clear, "ru", "b registers from a on hold nothing")                                            \
    X(GetGlobal, "rg", "a = global, or the function of that name; error if undefined")              \
    X(SetGlobal, "rg", "global = a")                                                                \
    X(SetExistingGlobal, "rg", "the same; error if there is none (strict variables)")               \
    X(GetCapture, "ru", "a = captured variable b")                                                  \
    X(SetCapture, "ru", "captured variable b = a")                                                  \
    X(NewCell, "r", "a = a new cell with the value of a")                                           \
    X(GetCell, "rr", "a = content of cell b")                                                       \
    X(SetCell, "rr", "content of cell b = a")                                                       \
    X(GetCreated, "rrg", "a = variable b if it exists, else global")                                \
    X(SetCreated, "rrg", "variable b = a if it exists or the global does not, else global = a")     \
    X(GetCreatedCell, "rrg", "the same, b a cell")                                                  \
    X(SetCreatedCell, "rrg", "the same, b a cell")                                                  \
    X(GetCreatedCapture, "rug", "the same, b a captured variable")                                  \
    X(SetCreatedCapture, "rug", "the same, b a captured variable")                                  \
    X(Add, "rkkn", "a = b + c; n: register b is read here for the last time")                       \
    X(Subtract, "rkk", "a = b - c")                                                                 \
    X(Multiply, "rkk", "a = b * c")                                                                 \
    X(Divide, "rkk", "a = b / c")                                                                   \
    X(Modulo, "rkk", "a = b % c")                                                                   \
    X(Negate, "rk", "a = -b")                                                                       \
    X(Not, "rk", "a = not b")                                                                       \
    X(Equal, "rkk", "a = b == c")                                                                   \
    X(NotEqual, "rkk", "a = b != c")                                                                \
    X(Less, "rkk", "a = b < c")                                                                     \
    X(LessEqual, "rkk", "a = b <= c")                                                               \
    X(Greater, "rkk", "a = b > c")                                                                  \
    X(GreaterEqual, "rkk", "a = b >= c")                                                            \
    X(Jump, "j", "go on at the target")                                                             \
    X(JumpBack, "j", "the same, backwards: a loop's next turn; counts a step")                      \
    X(JumpIfTrue, "rj", "if a is true, jump")                                                       \
    X(JumpIfFalse, "rj", "if a is false, jump")                                                     \
    X(TestEqual, "nkk", "if (b == c) is n, the next instruction (a jump) runs, else it is skipped") \
    X(TestLess, "nkk", "the same for b < c")                                                        \
    X(TestLessEqual, "nkk", "the same for b <= c")                                                  \
    X(TestGreater, "nkk", "the same for b > c")                                                     \
    X(TestGreaterEqual, "nkk", "the same for b >= c")                                               \
    X(NewFunction, "rl", "a = a function from lambda, capturing")                                   \
    X(NewArray, "ri", "a = an empty array with room for that many")                                 \
    X(Append, "rrn", "append n registers from b on to array a")                                     \
    X(NewMap, "r", "a = an empty map")                                                              \
    X(PutEntry, "rkk", "map a: key b = value c")                                                    \
    X(GetField, "rrs", "a = b.name")                                                                \
    X(SetField, "rks", "a.name = b")                                                                \
    X(GetIndex, "rrk", "a = b[c]")                                                                  \
    X(SetIndex, "rkk", "a[b] = c")                                                                  \
    X(Call, "rrsn", "a = call b with the n registers after b")                                      \
    X(Invoke, "rrsn", "a = b.name(the n registers after b)")                                        \
    X(InvokeParent, "rrsn", "a = from Parent.name(the n registers after b), b the object")          \
    X(InvokeAsync, "rrsn", "Invoke for nowait: what has an asynchronous form gives its future")     \
    X(InvokeParentAsync, "rrsn", "the same; after either, a future skips the next instruction")     \
    X(New, "rrsn", "a = new name(the n registers after b)")                                         \
    X(CheckStrong, "rs", "error if field name of a is weak")                                        \
    X(Print, "rn", "print n registers from a on")                                                   \
    X(Return, "kn", "end the call with the value a; n: a `return` statement says so")               \
    X(ReturnMe, "", "end the constructor with its object")                                          \
    X(Throw, "k", "raise the value a")                                                              \
    X(Rethrow, "r", "raise caught error a again")                                                   \
    X(CaughtValue, "rr", "a = what the catch clause receives of caught error b")                    \
    X(TestCaught, "rs", "if caught error a is of that type, the next instruction is skipped")       \
    X(Await, "rk", "a = the value of future b, once it is there")                                   \
    X(NewFuture, "rr", "a = a future that is ready with b")                                         \
    X(FailedFuture, "rr", "a = a future that failed with caught error b")                           \
    X(DeclareFunction, "lg", "make function a known under a name")                                  \
    X(DeclareStatic, "ls", "make function a known as Owner.name")                                   \
    X(DeclareBox, "u", "make box a known")                                                          \
    X(DeclareInterface, "u", "make interface a known")                                              \
    X(Include, "u", "run file a unless it has been run")                                            \
    X(Using, "u", "enable namespace a")

enum class Op : std::uint8_t {
#define NYASH_OPERATION(name, operands, meaning) name,
    NYASH_OPERATIONS(NYASH_OPERATION)
#undef NYASH_OPERATION
};

inline constexpr std::uint16_t kConstantBit = 0x8000;
inline constexpr std::size_t kMaxOperand = 0x7FFF;
inline constexpr std::size_t kMaxRegisters = 4096;

struct Instruction {
    Op op;
    std::uint8_t n = 0;
    std::uint16_t a = 0;
    std::uint16_t b = 0;
    std::uint16_t c = 0;

    std::int32_t wide() const { return static_cast<std::int32_t>(b | (static_cast<std::uint32_t>(c) << 16U)); }
    void set_wide(std::int32_t value) {
        b = static_cast<std::uint16_t>(static_cast<std::uint32_t>(value));
        c = static_cast<std::uint16_t>(static_cast<std::uint32_t>(value) >> 16U);
    }
};
static_assert(sizeof(Instruction) == 8);

// Where a name is used: the name, the labels of the arguments if any has one, and what was found here
// last time (the inline cache).
struct CallSite {
    Name name = nullptr;
    Name parent = nullptr;             // of `from Parent.name()` and `static function Parent.name`
    std::vector<Name> labels;          // one per argument, null where positional; empty: all positional
    std::vector<Name> type_arguments;  // of `new T<…>()`

    // What the operation found for that type; exactly one of the following is meaningful.
    mutable const BoxType* cached_type = nullptr;
    mutable const NativeFunction* native = nullptr;
    mutable const Function* function = nullptr;
    mutable std::uint32_t slot = 0;
};

struct BoxProto;
struct InterfaceProto;
struct Reference;

// The code of one function.
struct Proto {
    Proto();
    ~Proto();
    Proto(const Proto&) = delete;
    Proto& operator=(const Proto&) = delete;

    struct Capture {
        bool from_register = false;  // else from the enclosing function's captures
        std::uint16_t index = 0;
    };

    // Instructions from `start` up to before `end` are protected: on an error there, registers from `floor` on are
    // emptied, register `error` receives it and the code goes on at `target`. Inner ones come first.
    struct Handler {
        std::uint32_t start = 0;
        std::uint32_t end = 0;
        std::uint32_t target = 0;
        std::uint16_t floor = 0;
        std::uint16_t error = 0;
    };

    std::string name;  // empty: a lambda; of a method "Box.method"
    enum class Role : std::uint8_t { Function, Method, Constructor } role = Role::Function;
    std::shared_ptr<const Source> source;
    Span head;  // where it is declared
    std::uint16_t parameters = 0;
    std::uint16_t registers = 0;
    bool is_main = false;
    std::vector<Instruction> code;
    std::vector<Span> spans;  // per instruction: what an error there points at
    std::vector<Value> constants;
    std::vector<CallSite> sites;
    std::vector<Capture> captures;
    std::vector<std::unique_ptr<Proto>> lambdas;
    std::vector<std::unique_ptr<BoxProto>> boxes;
    std::vector<std::unique_ptr<InterfaceProto>> interfaces;
    std::vector<Reference> references;  // of Include and Using
    std::vector<Handler> handlers;
    std::vector<std::size_t> declarations;  // of the top level: its Declare… and Include instructions
    std::vector<std::string> variables;     // the names it knows, for "did you mean"

    std::string title() const { return is_main ? "the script" : name.empty() ? "a lambda" : "'" + name + "'"; }
};

std::string_view name_of(Op op);
// A Proto and its lambdas as text, one instruction a line.
class Globals;
std::string disassemble(const Proto& proto, const Globals& globals);

}  // namespace nyash
