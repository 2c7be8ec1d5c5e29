// AST: a program as a tree, one type per construct of the grammar (LANGUAGE, section 2).
//
// Nodes are plain structs with a kind to switch on. Every node has the span a diagnostic would point
// at. The fields marked "resolver" are empty after parsing: nyash/runtime/resolver.h fills them in.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nyash/syntax/source.h"

namespace nyash {

// A variable of a function, known to the resolver and the compiler; opaque here.
struct Variable;
struct FunctionNode;
struct BoxNode;

// ---- expressions ----

enum class ExprKind : std::uint8_t {
    Null,
    Void,
    Bool,
    Integer,
    Float,
    String,
    Name,
    Me,
    Unary,
    Binary,
    Logical,
    Ternary,
    Await,
    Call,
    MethodCall,
    Field,
    Index,
    New,
    ParentCall,
    Lambda,
    Array,
    Object,
};

struct Expr {
    ExprKind kind;
    std::uint16_t height = 1;  // levels of nodes below and including this one; the parser bounds it
    Span span;

    Expr(ExprKind k, Span s) : kind(k), span(s) {}
    virtual ~Expr() = default;
};
using ExprPtr = std::unique_ptr<Expr>;

struct Argument {
    std::string name;  // empty: positional
    Span name_span;
    ExprPtr value;
};

struct LiteralExpr final : Expr {  // Null, Void, Bool, Integer, Float, String, and Me
    using Expr::Expr;
    bool boolean = false;
    std::int64_t integer = 0;
    double number = 0;
    std::string text;
};

struct NameExpr final : Expr {
    NameExpr(std::string n, Span s) : Expr(ExprKind::Name, s), name(std::move(n)) {}
    std::string name;
    Variable* variable = nullptr;  // resolver; null: a global
};

enum class UnaryOp : std::uint8_t { Negate, Not };
struct UnaryExpr final : Expr {
    UnaryExpr(UnaryOp o, ExprPtr e, Span s) : Expr(ExprKind::Unary, s), op(o), operand(std::move(e)) {}
    UnaryOp op;
    ExprPtr operand;
};

enum class BinaryOp : std::uint8_t {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Channel,
};
std::string_view spelling(BinaryOp op);
struct BinaryExpr final : Expr {  // span: the whole; op_span: the operator alone
    BinaryExpr(BinaryOp o, ExprPtr l, ExprPtr r, Span s, Span os)
        : Expr(ExprKind::Binary, s), op(o), op_span(os), left(std::move(l)), right(std::move(r)) {}
    BinaryOp op;
    Span op_span;
    ExprPtr left, right;
};

struct LogicalExpr final : Expr {
    LogicalExpr(bool a, ExprPtr l, ExprPtr r, Span s)
        : Expr(ExprKind::Logical, s), is_and(a), left(std::move(l)), right(std::move(r)) {}
    bool is_and;
    ExprPtr left, right;
};

struct TernaryExpr final : Expr {
    TernaryExpr(ExprPtr c, ExprPtr t, ExprPtr e, Span s)
        : Expr(ExprKind::Ternary, s), condition(std::move(c)), then(std::move(t)), otherwise(std::move(e)) {}
    ExprPtr condition, then, otherwise;
};

struct AwaitExpr final : Expr {
    AwaitExpr(ExprPtr e, Span s) : Expr(ExprKind::Await, s), operand(std::move(e)) {}
    ExprPtr operand;
};

struct CallExpr final : Expr {
    CallExpr(ExprPtr c, Span s) : Expr(ExprKind::Call, s), callee(std::move(c)) {}
    ExprPtr callee;
    std::vector<Argument> arguments;
};

struct MethodCallExpr final : Expr {
    MethodCallExpr(ExprPtr o, std::string n, Span s, Span ns)
        : Expr(ExprKind::MethodCall, s), object(std::move(o)), name(std::move(n)), name_span(ns) {}
    ExprPtr object;
    std::string name;
    Span name_span;
    std::vector<Argument> arguments;
};

struct FieldExpr final : Expr {
    FieldExpr(ExprPtr o, std::string n, Span s, Span ns)
        : Expr(ExprKind::Field, s), object(std::move(o)), name(std::move(n)), name_span(ns) {}
    ExprPtr object;
    std::string name;
    Span name_span;
};

struct IndexExpr final : Expr {
    IndexExpr(ExprPtr o, ExprPtr i, Span s) : Expr(ExprKind::Index, s), object(std::move(o)), index(std::move(i)) {}
    ExprPtr object, index;
};

struct NewExpr final : Expr {
    NewExpr(std::string n, Span s, Span ns) : Expr(ExprKind::New, s), name(std::move(n)), name_span(ns) {}
    std::string name;
    Span name_span;
    std::vector<std::string> type_arguments;
    std::vector<Argument> arguments;
};

struct ParentCallExpr final : Expr {  // from Parent.method(args)
    using Expr::Expr;
    std::string parent, method;
    Span parent_span, method_span;
    std::vector<Argument> arguments;
};

struct LambdaExpr final : Expr {
    LambdaExpr(std::unique_ptr<FunctionNode> f, Span s);
    ~LambdaExpr() override;
    std::unique_ptr<FunctionNode> function;
};

struct ArrayExpr final : Expr {
    explicit ArrayExpr(Span s) : Expr(ExprKind::Array, s) {}
    std::vector<ExprPtr> items;
};

struct ObjectExpr final : Expr {
    struct Pair {
        std::string key;
        Span key_span;
        ExprPtr value;
    };
    explicit ObjectExpr(Span s) : Expr(ExprKind::Object, s) {}
    std::vector<Pair> pairs;
};

// ---- statements ----

enum class StmtKind : std::uint8_t {
    Expression,
    Assign,
    Local,
    Global,
    If,
    Loop,
    Break,
    Continue,
    Return,
    Print,
    Block,
    Function,
    StaticFunction,
    Box,
    Interface,
    Nowait,
    Include,
    Using,
    Try,
    Throw,
};

struct Stmt {
    StmtKind kind;
    Span span;

    Stmt(StmtKind k, Span s) : kind(k), span(s) {}
    virtual ~Stmt() = default;
};
using StmtPtr = std::unique_ptr<Stmt>;

// The statements of a block.
struct Body : std::vector<StmtPtr> {
    // resolver: locals declared in this block that a lambda above their declaration uses. Their cells exist from
    // the start of the block.
    std::vector<Variable*> hoisted;
};

struct ExpressionStmt final : Stmt {
    explicit ExpressionStmt(ExprPtr e) : Stmt(StmtKind::Expression, e->span), expr(std::move(e)) {}
    ExprPtr expr;
};

struct AssignStmt final : Stmt {
    AssignStmt(ExprPtr t, std::optional<BinaryOp> o, ExprPtr v, Span s, Span os)
        : Stmt(StmtKind::Assign, s), target(std::move(t)), op(o), op_span(os), value(std::move(v)) {}
    ExprPtr target;              // a Name, Field or Index
    std::optional<BinaryOp> op;  // of `+=` and its kind
    Span op_span;
    ExprPtr value;
};

struct LocalStmt final : Stmt {  // local a = 1, b   and outbox
    struct Declared {
        std::string name;
        Span span;
        ExprPtr value;                  // may be null
        Variable* variable = nullptr;   // resolver
        bool is_redeclaration = false;  // resolver: the same name earlier in the same block
    };
    using Stmt::Stmt;
    bool is_outbox = false;
    std::vector<Declared> variables;
};

struct GlobalStmt final : Stmt {
    using Stmt::Stmt;
    std::string name;
    Span name_span;
    ExprPtr value;
};

struct IfStmt final : Stmt {
    struct Branch {
        ExprPtr condition;
        Body body;
    };
    using Stmt::Stmt;
    std::vector<Branch> branches;  // if, else if, else if…
    bool has_else = false;
    Body otherwise;
};

struct LoopStmt final : Stmt {
    using Stmt::Stmt;
    ExprPtr condition;  // null: forever
    Body body;
};

struct SimpleStmt final : Stmt {  // Break, Continue
    using Stmt::Stmt;
};

struct ReturnStmt final : Stmt {
    using Stmt::Stmt;
    ExprPtr value;  // may be null
};

struct PrintStmt final : Stmt {
    using Stmt::Stmt;
    std::vector<ExprPtr> values;
};

struct BlockStmt final : Stmt {
    using Stmt::Stmt;
    Body body;
};

struct Parameter {
    std::string name;
    Span span;
    Variable* variable = nullptr;  // resolver
};

// What functions, lambdas, methods and constructors have in common.
struct FunctionNode {
    FunctionNode();
    ~FunctionNode();
    FunctionNode(const FunctionNode&) = delete;
    FunctionNode& operator=(const FunctionNode&) = delete;

    std::string name;  // empty: a lambda
    Span span;         // the head, for messages
    std::vector<Parameter> parameters;
    Body body;

    // resolver
    std::vector<std::unique_ptr<Variable>> variables;  // all that live in this function
    std::vector<Variable*> created_by_assignment;      // those without a declaration
    FunctionNode* enclosing = nullptr;                 // of a lambda: where it is written
    Variable* me = nullptr;                            // set when `me` is used here or in a lambda within
};

struct FunctionStmt final : Stmt {
    using Stmt::Stmt;
    std::unique_ptr<FunctionNode> function;
    std::string owner;  // of StaticFunction: the `Util` of `Util.twice`
};

struct FieldDecl {
    std::string name;
    Span span;
    bool is_weak = false;
    enum class Visibility : std::uint8_t { Unstated, Public, Private } visibility = Visibility::Unstated;
    std::unique_ptr<FunctionNode> initializer;  // a body of one `return expr`, run with `me`; may be null
};

struct MethodDecl {
    enum class Role : std::uint8_t { Method, Constructor, StaticMethod };
    Role role = Role::Method;
    bool is_override = false;
    std::unique_ptr<FunctionNode> function;
};

// A name in a head: a parent, an interface, a type parameter.
struct NameRef {
    std::string name;
    Span span;
};

struct BoxNode final : Stmt {
    using Stmt::Stmt;
    std::string name;
    Span name_span;
    bool is_static = false;
    std::vector<std::string> type_parameters;
    std::vector<NameRef> parents;
    std::vector<NameRef> interfaces;
    std::vector<FieldDecl> fields;
    std::vector<MethodDecl> methods;
    bool restricts_visibility = false;  // has a public{} or private{} block
    std::vector<std::unique_ptr<FunctionNode>> static_blocks;
};

struct InterfaceStmt final : Stmt {
    struct Method {
        std::string name;
        Span span;
        std::vector<Parameter> parameters;
    };
    using Stmt::Stmt;
    std::string name;
    Span name_span;
    std::vector<Method> methods;
};

struct NowaitStmt final : Stmt {
    using Stmt::Stmt;
    std::unique_ptr<NameExpr> target;
    ExprPtr value;
    bool declares = false;  // resolver: the target is a new local
};

struct IncludeStmt final : Stmt {
    using Stmt::Stmt;
    std::string path;
    Span path_span;
};

struct UsingStmt final : Stmt {
    using Stmt::Stmt;
    std::string name, alias;
    Span name_span;
};

struct TryStmt final : Stmt {
    struct Catch {
        std::string type;  // empty: everything
        Span type_span;
        std::string name;  // empty: the error is not named
        Span name_span;
        Variable* variable = nullptr;  // resolver
        Body body;
    };
    using Stmt::Stmt;
    Body body;
    std::vector<Catch> catches;
    bool has_finally = false;
    Body finally;
};

struct ThrowStmt final : Stmt {
    using Stmt::Stmt;
    ExprPtr value;
};

// A parsed file: its top-level statements are the body of one function.
struct Program {
    std::shared_ptr<const Source> source;
    std::unique_ptr<FunctionNode> main;
};

}  // namespace nyash
