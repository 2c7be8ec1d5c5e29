#include "nyash/runtime/resolver.h"

#include <algorithm>
#include <memory>
#include <set>
#include <unordered_map>
#include <utility>

#include "nyash/syntax/variable.h"

namespace nyash {
namespace {

struct ResolveError {
    Diagnostic diagnostic;
};

// The declarations visible at a point, innermost first. Never changed once made, so a lambda can keep
// the one it saw.
struct Visible {
    Variable* variable;
    const Visible* outer;
    int block;
};

// A block and all that was declared in it by its end: a lambda may run after that, and then knows it too.
struct Block {
    int number;
    const Block* outer;  // within the same function
    Body* body;
    std::vector<Variable*> declared;
};

struct FunctionScope {
    FunctionNode& node;
    FunctionScope* enclosing;  // of a lambda
    const Visible* visible;    // here; at the start, what the lambda saw around it
    const Block* written_in;   // of a lambda: the block around it
    bool is_main = false;
    bool in_box = false;  // `me` exists
    int block = 0;        // number of the current block
    Block* here = nullptr;
    std::unordered_map<std::string, Variable*> created;
    std::vector<NameExpr*> assigned_later;  // no declaration seen: decided at the end of the body
    std::vector<NameExpr*> read_later;
    struct Lambda {
        FunctionNode* node;
        const Visible* visible;
        const Block* written_in;
    };
    std::vector<Lambda> lambdas;
};

class Resolver {
public:
    explicit Resolver(bool strict) : strict_(strict) {}

    void program(Program& program) {
        FunctionScope main{*program.main, nullptr, nullptr, nullptr, true, false, 0, nullptr, {}, {}, {}, {}};
        function(main);
    }

private:
    [[noreturn]] static void fail(Span span, std::string message, std::string help = {}) {
        throw ResolveError{{std::move(message), span, std::move(help), {}}};
    }

    // ---- functions ----

    void function(FunctionScope& scope) {
        FunctionScope* outer = std::exchange(scope_, &scope);
        scope.block = ++blocks_;
        scope.here = open_block(scope.block, nullptr, scope.node.body);
        for (auto& parameter : scope.node.parameters) parameter.variable = declare(parameter.name);
        statements(scope.node.body);
        settle(scope);
        for (const auto& lambda : scope.lambdas) {
            lambda.node->enclosing = &scope.node;
            FunctionScope inner{
                *lambda.node, &scope, lambda.visible, lambda.written_in, false, scope.in_box, 0, nullptr, {}, {},
                {},           {}};
            function(inner);
        }
        scope_ = outer;
    }

    // A function that sees no locals around it: declared functions, methods.
    void separate_function(FunctionNode& node, bool in_box) {
        FunctionScope scope{node, nullptr, nullptr, nullptr, false, in_box, 0, nullptr, {}, {}, {}, {}};
        function(scope);
    }

    // The names nobody declared: first what assignment creates, then what merely reads.
    void settle(FunctionScope& scope) {
        for (NameExpr* name : scope.assigned_later) {
            if (Variable* known = lookup_later(scope, name->name)) {
                use(*name, known);
            } else if (known = lookup_created(scope, name->name); known) {
                use(*name, known);
            } else if (!scope.is_main && !strict_) {
                Variable* made = add_variable(scope.node, name->name);
                made->is_created_by_assignment = true;
                scope.node.created_by_assignment.push_back(made);
                scope.created.emplace(name->name, made);
                name->variable = made;
            }
        }
        for (NameExpr* name : scope.read_later) {
            Variable* known = lookup_later(scope, name->name);
            if (!known) known = lookup_created(scope, name->name);
            if (known) use(*name, known);
        }
    }

    // Locals that were declared below this lambda, or one around it, in a block around that lambda.
    static Variable* lookup_later(FunctionScope& scope, const std::string& name) {
        for (FunctionScope* s = &scope; s; s = s->enclosing) {
            for (const Block* block = s->written_in; block; block = block->outer) {
                for (Variable* variable : block->declared) {
                    if (variable->name != name) continue;
                    if (!variable->is_hoisted) block->body->hoisted.push_back(variable);
                    variable->is_hoisted = true;
                    variable->is_created_by_assignment = true;  // until declared, the name may still mean a global
                    return variable;
                }
            }
        }
        return nullptr;
    }

    Block* open_block(int number, const Block* outer, Body& body) {
        opened_.push_back(std::make_unique<Block>(Block{number, outer, &body, {}}));
        return opened_.back().get();
    }

    // Variables created by assignment here or in the functions around.
    static Variable* lookup_created(FunctionScope& scope, const std::string& name) {
        for (FunctionScope* s = &scope; s; s = s->enclosing) {
            if (auto found = s->created.find(name); found != s->created.end()) return found->second;
        }
        return nullptr;
    }

    static Variable* add_variable(FunctionNode& node, std::string name) {
        node.variables.push_back(std::make_unique<Variable>());
        node.variables.back()->name = std::move(name);
        node.variables.back()->owner = &node;
        return node.variables.back().get();
    }

    Variable* declare(const std::string& name) {
        Variable* variable = add_variable(scope_->node, name);
        visible_.push_back(std::make_unique<Visible>(variable, scope_->visible, scope_->block));
        scope_->visible = visible_.back().get();
        if (scope_->here) scope_->here->declared.push_back(variable);
        return variable;
    }

    void use(NameExpr& name, Variable* variable) {
        name.variable = variable;
        if (variable->owner != &scope_->node) variable->is_captured = true;
    }

    Variable* lookup(const std::string& name) const {
        for (const Visible* v = scope_->visible; v; v = v->outer) {
            if (v->variable->name == name) return v->variable;
        }
        return nullptr;
    }

    void me(Span span) {
        if (!scope_->in_box) fail(span, "'me' is only known inside a box", "'me' is the object whose method runs");
        // The method itself has it; the lambdas in between capture it.
        FunctionScope* method = scope_;
        while (method->enclosing) method = method->enclosing;
        if (!method->node.me) method->node.me = add_variable(method->node, "me");
        for (FunctionScope* s = scope_; s != method; s = s->enclosing) {
            s->node.me = method->node.me;
            method->node.me->is_captured = true;
        }
    }

    // ---- statements ----

    template <class F>
    void in_block(Body& body, F&& inside) {
        const Visible* before = scope_->visible;
        const int block = std::exchange(scope_->block, ++blocks_);
        Block* const outer = scope_->here;
        scope_->here = open_block(scope_->block, outer, body);
        inside();
        scope_->here = outer;
        scope_->visible = before;
        scope_->block = block;
    }

    void block(Body& body) {
        in_block(body, [&] { statements(body); });
    }

    void statements(Body& body) {
        for (auto& stmt : body) statement(*stmt);
    }

    void statement(Stmt& stmt) {
        switch (stmt.kind) {
            case StmtKind::Expression:
                return expression(*static_cast<ExpressionStmt&>(stmt).expr);
            case StmtKind::Assign:
                return assign(static_cast<AssignStmt&>(stmt));
            case StmtKind::Local:
                return local(static_cast<LocalStmt&>(stmt));
            case StmtKind::Global: {
                auto& node = static_cast<GlobalStmt&>(stmt);
                if (scope_->is_main) main_globals_.insert(node.name);
                return expression(*node.value);
            }
            case StmtKind::If: {
                auto& node = static_cast<IfStmt&>(stmt);
                for (auto& branch : node.branches) {
                    expression(*branch.condition);
                    block(branch.body);
                }
                return block(node.otherwise);
            }
            case StmtKind::Loop: {
                auto& node = static_cast<LoopStmt&>(stmt);
                if (node.condition) expression(*node.condition);
                return block(node.body);
            }
            case StmtKind::Return:
                if (auto& value = static_cast<ReturnStmt&>(stmt).value) expression(*value);
                return;
            case StmtKind::Print:
                for (auto& value : static_cast<PrintStmt&>(stmt).values) expression(*value);
                return;
            case StmtKind::Block:
                return block(static_cast<BlockStmt&>(stmt).body);
            case StmtKind::Function:
            case StmtKind::StaticFunction:
                return separate_function(*static_cast<FunctionStmt&>(stmt).function, false);
            case StmtKind::Box:
                return box(static_cast<BoxNode&>(stmt));
            case StmtKind::Nowait: {
                auto& node = static_cast<NowaitStmt&>(stmt);
                expression(*node.value);
                // Undeclared, it is a local even at the top level.
                if (scope_->is_main && !lookup(node.target->name) && !main_globals_.contains(node.target->name)) {
                    node.target->variable = declare(node.target->name);
                    node.declares = true;
                    return;
                }
                return assigned(*node.target);
            }
            case StmtKind::Try:
                return try_statement(static_cast<TryStmt&>(stmt));
            case StmtKind::Throw:
                return expression(*static_cast<ThrowStmt&>(stmt).value);
            case StmtKind::Interface:
            case StmtKind::Include:
            case StmtKind::Using:
            case StmtKind::Break:
            case StmtKind::Continue:
                return;
        }
    }

    void assign(AssignStmt& stmt) {
        expression(*stmt.value);
        if (stmt.target->kind == ExprKind::Name) return assigned(static_cast<NameExpr&>(*stmt.target));
        expression(*stmt.target);
    }

    void assigned(NameExpr& name) {
        if (Variable* variable = lookup(name.name)) return use(name, variable);
        if (scope_->is_main) main_globals_.insert(name.name);
        scope_->assigned_later.push_back(&name);
    }

    void local(LocalStmt& stmt) {
        // As many as a function has registers; each is looked for among all before it.
        constexpr std::size_t kMaxVariables = 4096;
        for (auto& declared : stmt.variables) {
            if (scope_->node.variables.size() > kMaxVariables) {
                fail(declared.span, "The function needs too many variables (more than 4096)",
                     "split it into smaller functions");
            }
            // The value sees an outer variable of the same name; but a lambda cannot run before the variable
            // holds it, so it sees the variable itself and may call itself.
            if (declared.value) expression(*declared.value);
            const bool is_lambda = declared.value && declared.value->kind == ExprKind::Lambda;
            for (const Visible* v = scope_->visible; v && v->block == scope_->block; v = v->outer) {
                if (v->variable->name != declared.name || v->variable->owner != &scope_->node) continue;
                declared.variable = v->variable;
                declared.is_redeclaration = true;
                break;
            }
            if (!declared.variable) declared.variable = declare(declared.name);
            if (is_lambda) scope_->lambdas.back().visible = scope_->visible;
        }
    }

    void try_statement(TryStmt& stmt) {
        block(stmt.body);
        for (auto& clause : stmt.catches) {
            in_block(clause.body, [&] {
                if (!clause.name.empty()) clause.variable = declare(clause.name);
                statements(clause.body);
            });
        }
        block(stmt.finally);
    }

    void box(BoxNode& node) {
        const BoxNode* outer = std::exchange(box_, &node);
        box_itself(node);
        box_ = outer;
    }

    void box_itself(BoxNode& node) {
        for (auto& field : node.fields) {
            if (field.initializer) separate_function(*field.initializer, true);
        }
        for (auto& method : node.methods)
            separate_function(*method.function, method.role != MethodDecl::Role::StaticMethod);
        for (auto& body : node.static_blocks) separate_function(*body, true);
    }

    // ---- expressions ----

    void arguments(std::vector<Argument>& list) {
        for (auto& argument : list) expression(*argument.value);
    }

    void expression(Expr& expr) {
        switch (expr.kind) {
            case ExprKind::Null:
            case ExprKind::Void:
            case ExprKind::Bool:
            case ExprKind::Integer:
            case ExprKind::Float:
            case ExprKind::String:
                return;
            case ExprKind::Me:
                return me(expr.span);
            case ExprKind::Name: {
                auto& name = static_cast<NameExpr&>(expr);
                if (Variable* variable = lookup(name.name)) return use(name, variable);
                scope_->read_later.push_back(&name);
                return;
            }
            case ExprKind::Unary:
                return expression(*static_cast<UnaryExpr&>(expr).operand);
            case ExprKind::Await:
                return expression(*static_cast<AwaitExpr&>(expr).operand);
            case ExprKind::Binary: {
                auto& node = static_cast<BinaryExpr&>(expr);
                expression(*node.left);
                return expression(*node.right);
            }
            case ExprKind::Logical: {
                auto& node = static_cast<LogicalExpr&>(expr);
                expression(*node.left);
                return expression(*node.right);
            }
            case ExprKind::Ternary: {
                auto& node = static_cast<TernaryExpr&>(expr);
                expression(*node.condition);
                expression(*node.then);
                return expression(*node.otherwise);
            }
            case ExprKind::Call: {
                auto& node = static_cast<CallExpr&>(expr);
                expression(*node.callee);
                return arguments(node.arguments);
            }
            case ExprKind::MethodCall: {
                auto& node = static_cast<MethodCallExpr&>(expr);
                expression(*node.object);
                return arguments(node.arguments);
            }
            case ExprKind::Field:
                return expression(*static_cast<FieldExpr&>(expr).object);
            case ExprKind::Index: {
                auto& node = static_cast<IndexExpr&>(expr);
                expression(*node.object);
                return expression(*node.index);
            }
            case ExprKind::New:
                return arguments(static_cast<NewExpr&>(expr).arguments);
            case ExprKind::ParentCall: {
                auto& node = static_cast<ParentCallExpr&>(expr);
                parent(node);
                me(expr.span);
                return arguments(node.arguments);
            }
            case ExprKind::Lambda:
                scope_->lambdas.push_back(
                    {static_cast<LambdaExpr&>(expr).function.get(), scope_->visible, scope_->here});
                return;
            case ExprKind::Array:
                for (auto& item : static_cast<ArrayExpr&>(expr).items) expression(*item);
                return;
            case ExprKind::Object:
                for (auto& pair : static_cast<ObjectExpr&>(expr).pairs) expression(*pair.value);
                return;
        }
    }

    // `from P.m()` needs P in the head of the box it stands in, whatever object it runs for.
    void parent(const ParentCallExpr& call) {
        const std::string written = "'from " + call.parent + "." + call.method + "()'";
        if (!box_) fail(call.parent_span, written + " is only known inside a box");
        std::vector<std::string_view> parents;
        for (const NameRef& ref : box_->parents) parents.push_back(ref.name);
        if (std::ranges::find(parents, call.parent) != parents.end()) return;
        std::string help = did_you_mean(call.parent, parents);
        if (help.empty()) help = "the head of the box would say:  box " + box_->name + " from " + call.parent;
        fail(call.parent_span, "'" + call.parent + "' is not a parent of '" + box_->name + "'", std::move(help));
    }

    const bool strict_;
    FunctionScope* scope_ = nullptr;
    const BoxNode* box_ = nullptr;        // in whose body we are
    std::set<std::string> main_globals_;  // what the top level has assigned so far
    std::vector<std::unique_ptr<Visible>> visible_;
    std::vector<std::unique_ptr<Block>> opened_;
    int blocks_ = 0;
};

}  // namespace

std::expected<void, Diagnostic> resolve(Program& program, bool strict) {
    try {
        Resolver(strict).program(program);
        return {};
    } catch (ResolveError& error) {
        return std::unexpected(std::move(error.diagnostic));
    }
}

}  // namespace nyash
