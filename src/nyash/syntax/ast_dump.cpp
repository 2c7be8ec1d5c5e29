#include "nyash/syntax/ast_dump.h"

namespace nyash {
namespace {

std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (char c : text) {
        if (c == '\n') {
            out += "\\n";
        } else if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else {
            out += c;
        }
    }
    return out + "\"";
}

class Dumper {
public:
    std::string run(const Program& program) {
        line("program");
        nested([&] { body(program.main->body); });
        return std::move(out_);
    }

private:
    void line(const std::string& text) {
        out_.append(static_cast<std::size_t>(depth_) * 2, ' ');
        out_ += text;
        out_ += '\n';
    }
    template <class F>
    void nested(F&& inside) {
        ++depth_;
        inside();
        --depth_;
    }
    template <class F>
    void node(const std::string& text, F&& inside) {
        line(text);
        nested(inside);
    }

    void body(const Body& statements) {
        for (const auto& stmt : statements) statement(*stmt);
    }
    void labelled(const std::string& label, const Body& statements) {
        node(label, [&] { body(statements); });
    }

    static std::string signature(const std::vector<Parameter>& parameters) {
        std::string text = "(";
        for (const auto& parameter : parameters) text += (text.size() > 1 ? ", " : "") + parameter.name;
        return text + ")";
    }
    void function(const std::string& what, const FunctionNode& f) {
        labelled(what + (f.name.empty() ? "" : " " + f.name) + signature(f.parameters), f.body);
    }
    static std::string list(const std::string& label, const std::vector<NameRef>& names) {
        std::string text;
        for (const auto& name : names) text += (text.empty() ? " " + label + " " : ", ") + name.name;
        return text;
    }

    void box(const BoxNode& n) {
        node(
            (n.is_static ? "static box " : "box ") + n.name + list("from", n.parents) + list("interface", n.interfaces),
            [&] {
                for (const auto& field : n.fields) {
                    using Visibility = FieldDecl::Visibility;
                    const std::string visibility = field.visibility == Visibility::Public    ? "public "
                                                   : field.visibility == Visibility::Private ? "private "
                                                                                             : "";
                    line(visibility + (field.is_weak ? "weak " : "") + "field " + field.name);
                    if (field.initializer) nested([&] { body(field.initializer->body); });
                }
                for (const auto& method : n.methods) {
                    const std::string what = method.role == MethodDecl::Role::Constructor    ? "constructor"
                                             : method.role == MethodDecl::Role::StaticMethod ? "static method"
                                                                                             : "method";
                    function((method.is_override ? "override " : "") + what, *method.function);
                }
                for (const auto& block : n.static_blocks) labelled("static", block->body);
            });
    }

    void statement(const Stmt& stmt) {
        switch (stmt.kind) {
            case StmtKind::Expression:
                return expression(*static_cast<const ExpressionStmt&>(stmt).expr);
            case StmtKind::Assign: {
                const auto& n = static_cast<const AssignStmt&>(stmt);
                return node("assign " + (n.op ? std::string(spelling(*n.op)) : "") + "=", [&] {
                    expression(*n.target);
                    expression(*n.value);
                });
            }
            case StmtKind::Local: {
                const auto& n = static_cast<const LocalStmt&>(stmt);
                for (const auto& declared : n.variables) {
                    node((n.is_outbox ? "outbox " : "local ") + declared.name, [&] {
                        if (declared.value) expression(*declared.value);
                    });
                }
                return;
            }
            case StmtKind::Global: {
                const auto& n = static_cast<const GlobalStmt&>(stmt);
                return node("global " + n.name, [&] { expression(*n.value); });
            }
            case StmtKind::If: {
                const auto& n = static_cast<const IfStmt&>(stmt);
                for (std::size_t i = 0; i < n.branches.size(); ++i) {
                    node(i == 0 ? "if" : "else if", [&] {
                        expression(*n.branches[i].condition);
                        labelled("then", n.branches[i].body);
                    });
                }
                if (n.has_else) labelled("else", n.otherwise);
                return;
            }
            case StmtKind::Loop: {
                const auto& n = static_cast<const LoopStmt&>(stmt);
                return node("loop", [&] {
                    if (n.condition) expression(*n.condition);
                    labelled("do", n.body);
                });
            }
            case StmtKind::Break:
                return line("break");
            case StmtKind::Continue:
                return line("continue");
            case StmtKind::Return:
                return node("return", [&] {
                    if (const auto& value = static_cast<const ReturnStmt&>(stmt).value) expression(*value);
                });
            case StmtKind::Print:
                return node("print", [&] {
                    for (const auto& value : static_cast<const PrintStmt&>(stmt).values) expression(*value);
                });
            case StmtKind::Block:
                return labelled("block", static_cast<const BlockStmt&>(stmt).body);
            case StmtKind::Function:
                return function("function", *static_cast<const FunctionStmt&>(stmt).function);
            case StmtKind::StaticFunction: {
                const auto& n = static_cast<const FunctionStmt&>(stmt);
                return function("static function of " + n.owner + ":", *n.function);
            }
            case StmtKind::Box:
                return box(static_cast<const BoxNode&>(stmt));
            case StmtKind::Interface: {
                const auto& n = static_cast<const InterfaceStmt&>(stmt);
                return node("interface " + n.name, [&] {
                    for (const auto& method : n.methods) line(method.name + signature(method.parameters));
                });
            }
            case StmtKind::Nowait: {
                const auto& n = static_cast<const NowaitStmt&>(stmt);
                return node("nowait " + n.target->name, [&] { expression(*n.value); });
            }
            case StmtKind::Include:
                return line("include " + quoted(static_cast<const IncludeStmt&>(stmt).path));
            case StmtKind::Using: {
                const auto& n = static_cast<const UsingStmt&>(stmt);
                return line("using " + n.name + (n.alias.empty() ? "" : " as " + n.alias));
            }
            case StmtKind::Try: {
                const auto& n = static_cast<const TryStmt&>(stmt);
                labelled("try", n.body);
                for (const auto& clause : n.catches) {
                    std::string head = "catch";
                    if (!clause.type.empty()) head += " " + clause.type;
                    if (!clause.name.empty()) head += " " + clause.name;
                    labelled(head, clause.body);
                }
                if (n.has_finally) labelled("finally", n.finally);
                return;
            }
            case StmtKind::Throw:
                return node("throw", [&] { expression(*static_cast<const ThrowStmt&>(stmt).value); });
        }
    }

    void arguments(const std::vector<Argument>& list) {
        for (const auto& argument : list) {
            if (argument.name.empty()) {
                expression(*argument.value);
            } else {
                node(argument.name + ":", [&] { expression(*argument.value); });
            }
        }
    }

    void expression(const Expr& expr) {
        switch (expr.kind) {
            case ExprKind::Null:
                return line("null");
            case ExprKind::Void:
                return line("void");
            case ExprKind::Me:
                return line("me");
            case ExprKind::Bool:
                return line(static_cast<const LiteralExpr&>(expr).boolean ? "true" : "false");
            case ExprKind::Integer:
                return line(std::to_string(static_cast<const LiteralExpr&>(expr).integer));
            case ExprKind::Float:
                return line("float " + std::to_string(static_cast<const LiteralExpr&>(expr).number));
            case ExprKind::String:
                return line(quoted(static_cast<const LiteralExpr&>(expr).text));
            case ExprKind::Name:
                return line("name " + static_cast<const NameExpr&>(expr).name);
            case ExprKind::Unary: {
                const auto& n = static_cast<const UnaryExpr&>(expr);
                return node(n.op == UnaryOp::Not ? "not" : "negate", [&] { expression(*n.operand); });
            }
            case ExprKind::Await:
                return node("await", [&] { expression(*static_cast<const AwaitExpr&>(expr).operand); });
            case ExprKind::Binary: {
                const auto& n = static_cast<const BinaryExpr&>(expr);
                return node(std::string(spelling(n.op)), [&] {
                    expression(*n.left);
                    expression(*n.right);
                });
            }
            case ExprKind::Logical: {
                const auto& n = static_cast<const LogicalExpr&>(expr);
                return node(n.is_and ? "and" : "or", [&] {
                    expression(*n.left);
                    expression(*n.right);
                });
            }
            case ExprKind::Ternary: {
                const auto& n = static_cast<const TernaryExpr&>(expr);
                return node("? :", [&] {
                    expression(*n.condition);
                    expression(*n.then);
                    expression(*n.otherwise);
                });
            }
            case ExprKind::Call: {
                const auto& n = static_cast<const CallExpr&>(expr);
                return node("call", [&] {
                    expression(*n.callee);
                    arguments(n.arguments);
                });
            }
            case ExprKind::MethodCall: {
                const auto& n = static_cast<const MethodCallExpr&>(expr);
                return node("call ." + n.name, [&] {
                    expression(*n.object);
                    arguments(n.arguments);
                });
            }
            case ExprKind::Field: {
                const auto& n = static_cast<const FieldExpr&>(expr);
                return node("field ." + n.name, [&] { expression(*n.object); });
            }
            case ExprKind::Index: {
                const auto& n = static_cast<const IndexExpr&>(expr);
                return node("index", [&] {
                    expression(*n.object);
                    expression(*n.index);
                });
            }
            case ExprKind::New: {
                const auto& n = static_cast<const NewExpr&>(expr);
                return node("new " + n.name, [&] { arguments(n.arguments); });
            }
            case ExprKind::ParentCall: {
                const auto& n = static_cast<const ParentCallExpr&>(expr);
                return node("from " + n.parent + "." + n.method, [&] { arguments(n.arguments); });
            }
            case ExprKind::Lambda:
                return function("function", *static_cast<const LambdaExpr&>(expr).function);
            case ExprKind::Array:
                return node("array", [&] {
                    for (const auto& item : static_cast<const ArrayExpr&>(expr).items) expression(*item);
                });
            case ExprKind::Object:
                return node("object", [&] {
                    for (const auto& pair : static_cast<const ObjectExpr&>(expr).pairs) {
                        node(quoted(pair.key) + ":", [&] { expression(*pair.value); });
                    }
                });
        }
    }

    std::string out_;
    int depth_ = 0;
};

}  // namespace

std::string dump_ast(const Program& program) {
    return Dumper().run(program);
}

}  // namespace nyash
