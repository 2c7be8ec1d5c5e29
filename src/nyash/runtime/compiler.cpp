#include "nyash/runtime/compiler.h"

#include <algorithm>
#include <optional>

#include "nyash/runtime/code_writer.h"
#include "nyash/runtime/declarations.h"
#include "nyash/runtime/runtime.h"
#include "nyash/syntax/variable.h"

namespace nyash {
namespace {

class Compiler : CodeWriter {
public:
    Compiler(Runtime& runtime, std::shared_ptr<const Source> source)
        : CodeWriter(runtime), source_(std::move(source)) {}

    std::unique_ptr<Proto> program(FunctionNode& main) { return function(main, true); }

private:
    // ---- functions ----

    // A function that sees nothing of where it stands.
    std::unique_ptr<Proto> separate_function(FunctionNode& node, Proto::Role role = Proto::Role::Function,
                                             const std::string& name = {}) {
        FunctionState* outer = std::exchange(f_, nullptr);
        auto compiled = function(node, false, role);
        f_ = outer;
        if (!name.empty()) compiled->name = name;
        return compiled;
    }

    std::unique_ptr<Proto> function(FunctionNode& node, bool is_main = false,
                                    Proto::Role role = Proto::Role::Function) {
        FunctionState state(node, f_);
        f_ = &state;
        auto& p = proto();
        p.name = node.name;
        p.role = role;
        p.source = source_;
        p.is_main = is_main;
        p.head = node.span;
        p.parameters = static_cast<std::uint16_t>(node.parameters.size());
        for (const auto& variable : node.variables) p.variables.push_back(variable->name);

        for (auto& parameter : node.parameters) parameter.variable->place = take(parameter.span);
        if (node.me && node.me->owner == &node) {
            node.me->place = take(node.span);
            emit(Op::LoadMe, node.span, node.me->place);
            if (node.me->is_captured) emit(Op::NewCell, node.span, node.me->place);
        }
        for (auto& parameter : node.parameters) {
            if (parameter.variable->is_captured) emit(Op::NewCell, parameter.span, parameter.variable->place);
        }
        if (!node.created_by_assignment.empty()) {
            const Register first = take(node.span, node.created_by_assignment.size());
            emit(Op::Clear, node.span, first, static_cast<std::uint16_t>(node.created_by_assignment.size()));
            Register place = first;
            for (Variable* variable : node.created_by_assignment) {
                variable->place = place++;
                if (variable->is_captured) emit(Op::NewCell, node.span, variable->place);
            }
        }
        f_->locals_end = f_->next;
        body(node.body, node.span);
        f_ = state.enclosing;
        return std::move(state.proto);
    }

    // The value of the last statement, if it has one, is the function's.
    void body(Body& statements, Span span) {
        hoist(statements, span);
        if (proto().role == Proto::Role::Constructor) {
            for (auto& stmt : statements) statement(*stmt);
            emit(Op::ReturnMe, span);
            return;
        }
        for (std::size_t i = 0; i < statements.size(); ++i) {
            Stmt& stmt = *statements[i];
            if (i + 1 < statements.size()) {
                statement(stmt);
            } else if (stmt.kind == StmtKind::Expression) {
                const Operand value = operand(*static_cast<ExpressionStmt&>(stmt).expr);
                emit(Op::Return, stmt.span, value);
                return;
            } else if (stmt.kind == StmtKind::Assign) {
                const Operand value = assign(static_cast<AssignStmt&>(stmt));
                emit(Op::Return, stmt.span, value);
                return;
            } else {
                statement(stmt);
            }
        }
        emit(Op::Return, span, number_constant(Value::nothing(), span));
    }

    std::uint16_t capture(FunctionState& state, const Variable* variable) {
        if (auto found = state.captures.find(variable); found != state.captures.end()) return found->second;
        Proto::Capture from;
        if (variable->owner == &state.enclosing->node) {
            from = {true, variable->place};
        } else {
            from = {false, capture(*state.enclosing, variable)};
        }
        state.proto->captures.push_back(from);
        const auto index = static_cast<std::uint16_t>(state.proto->captures.size() - 1);
        state.captures.emplace(variable, index);
        return index;
    }

    // ---- statements ----

    // Compiles one statement; afterwards its temporaries hold nothing.
    void statement(Stmt& stmt) {
        const Register outer_dirty = std::exchange(f_->dirty_end, 0);
        statement_itself(stmt);
        f_->next = f_->locals_end;
        // What the statement declared stays; temporaries above it go. (A return empties all by itself.)
        if (f_->dirty_end > f_->locals_end && stmt.kind != StmtKind::Return) {
            emit(Op::Clear, stmt.span, f_->locals_end, static_cast<std::uint16_t>(f_->dirty_end - f_->locals_end));
        }
        f_->dirty_end = outer_dirty;
    }

    void block(Body& statements, Span span) {
        const Register first = f_->locals_end;
        ++f_->blocks;
        hoist(statements, span);
        for (auto& stmt : statements) statement(*stmt);
        --f_->blocks;
        end_locals(first, span);
    }

    // Locals that lambdas know before they are declared.
    void hoist(Body& statements, Span span) {
        for (Variable* variable : statements.hoisted) {
            variable->place = hidden_local(span);
            emit(Op::Clear, span, variable->place, 1);
            emit(Op::NewCell, span, variable->place);
        }
    }

    // Locals from `first` on are no more.
    void end_locals(Register first, Span span) {
        clear_from(first, span);
        f_->locals_end = f_->next = first;
    }
    void clear_from(Register first, Span span) {
        if (f_->locals_end <= first) return;
        emit(Op::Clear, span, first, static_cast<std::uint16_t>(f_->locals_end - first));
    }

    // A local without a name.
    Register hidden_local(Span span) {
        f_->next = f_->locals_end;
        const Register place = take(span);
        f_->locals_end = f_->next;
        return place;
    }

    void statement_itself(Stmt& stmt) {
        switch (stmt.kind) {
            case StmtKind::Expression: {
                auto& expr = *static_cast<ExpressionStmt&>(stmt).expr;
                into(expr, take(stmt.span));
                return;
            }
            case StmtKind::Assign:
                assign(static_cast<AssignStmt&>(stmt));
                return;
            case StmtKind::Local:
                return local(static_cast<LocalStmt&>(stmt));
            case StmtKind::Global: {
                auto& node = static_cast<GlobalStmt&>(stmt);
                emit(Op::SetGlobal, node.name_span, in_register(*node.value), global(node.name, node.name_span));
                return;
            }
            case StmtKind::If:
                return if_statement(static_cast<IfStmt&>(stmt));
            case StmtKind::Loop:
                return loop(static_cast<LoopStmt&>(stmt));
            case StmtKind::Break:
            case StmtKind::Continue:
                return leave_loop(stmt);
            case StmtKind::Return:
                return return_statement(static_cast<ReturnStmt&>(stmt));
            case StmtKind::Print: {
                auto& node = static_cast<PrintStmt&>(stmt);
                const Register first = f_->next;
                for (auto& value : node.values) into(*value, take(value->span));
                emit(Op::Print, stmt.span, first, 0, 0, node.values.size());
                return;
            }
            case StmtKind::Block:
                return block(static_cast<BlockStmt&>(stmt).body, stmt.span);
            case StmtKind::Function:
                return declare_function(static_cast<FunctionStmt&>(stmt));
            case StmtKind::StaticFunction:
                return declare_static(static_cast<FunctionStmt&>(stmt));
            case StmtKind::Box:
                return declare_box(static_cast<BoxNode&>(stmt));
            case StmtKind::Interface:
                return declare_interface(static_cast<InterfaceStmt&>(stmt));
            case StmtKind::Nowait:
                return nowait(static_cast<NowaitStmt&>(stmt));
            case StmtKind::Include: {
                auto& node = static_cast<IncludeStmt&>(stmt);
                return refer(Op::Include, {node.path, {}, node.path_span}, stmt.span);
            }
            case StmtKind::Using: {
                auto& node = static_cast<UsingStmt&>(stmt);
                return refer(Op::Using, {node.name, node.alias, node.name_span}, node.name_span);
            }
            case StmtKind::Try:
                return try_statement(static_cast<TryStmt&>(stmt));
            case StmtKind::Throw:
                emit(Op::Throw, stmt.span, operand(*static_cast<ThrowStmt&>(stmt).value));
                return;
        }
    }

    void return_statement(ReturnStmt& stmt) {
        if (proto().role == Proto::Role::Constructor && f_->finallies.empty()) {
            if (stmt.value) in_register(*stmt.value);
            emit(Op::ReturnMe, stmt.span);
            return;
        }
        const Operand value = stmt.value ? operand(*stmt.value) : number_constant(Value::nothing(), stmt.span);
        if (f_->finallies.empty()) {
            emit(Op::Return, stmt.span, value, 0, 0, 1);
            return;
        }
        leave_by_finally(FinallyState::Return, value, stmt.span);
    }

    // ---- declarations ----

    // The declarations of the top level are made known before the program runs.
    void declared(std::size_t at) {
        if (proto().is_main && f_->blocks == 0) proto().declarations.push_back(at);
    }

    void declare_function(FunctionStmt& stmt) {
        const std::uint16_t name = global(stmt.function->name, stmt.span);
        const std::uint16_t index = add_lambda(separate_function(*stmt.function), stmt.span);
        declared(emit(Op::DeclareFunction, stmt.span, index, name));
    }

    void declare_static(FunctionStmt& stmt) {
        const std::string name = stmt.owner + "." + stmt.function->name;
        const std::uint16_t index =
            add_lambda(separate_function(*stmt.function, Proto::Role::Function, name), stmt.span);
        const std::uint16_t at = site(stmt.function->name, {}, stmt.span);
        site_at(at).parent = runtime_.names().intern(stmt.owner);
        global(stmt.owner, stmt.span);
        declared(emit(Op::DeclareStatic, stmt.span, index, at));
    }

    void refer(Op op, Reference reference, Span span) {
        auto& references = proto().references;
        if (references.size() >= kMaxOperand) fail(span, "Too many files are included here (more than 32767)");
        references.push_back(std::move(reference));
        const std::size_t at = emit(op, span, static_cast<std::uint16_t>(references.size() - 1));
        if (op == Op::Include) declared(at);
    }

    NameAt name_at(const std::string& name, Span span) { return {runtime_.names().intern(name), span}; }

    void declare_box(BoxNode& node) {
        auto box = std::make_unique<BoxProto>();
        box->source = source_;
        box->name = name_at(node.name, node.name_span);
        box->is_static = node.is_static;
        box->restricts_visibility = node.restricts_visibility;
        for (const auto& parameter : node.type_parameters)
            box->type_parameters.push_back(runtime_.names().intern(parameter));
        for (const auto& parent : node.parents) box->parents.push_back(name_at(parent.name, parent.span));
        for (const auto& interface : node.interfaces)
            box->interfaces.push_back(name_at(interface.name, interface.span));
        for (auto& field : node.fields) {
            box->fields.push_back({runtime_.names().intern(field.name), field.span, field.is_weak,
                                   field.visibility == FieldDecl::Visibility::Public, nullptr});
            if (field.initializer) {
                box->fields.back().initializer =
                    separate_function(*field.initializer, Proto::Role::Method, node.name + "." + field.name);
            }
        }
        for (auto& method : node.methods) {
            const bool constructs = method.role == MethodDecl::Role::Constructor;
            const bool is_static = method.role == MethodDecl::Role::StaticMethod;
            auto& list = constructs ? box->constructors : is_static ? box->static_methods : box->methods;
            const auto role = constructs  ? Proto::Role::Constructor
                              : is_static ? Proto::Role::Function
                                          : Proto::Role::Method;
            const std::string& name = method.function->name;
            list.push_back({runtime_.names().intern(name), method.function->span, method.is_override,
                            separate_function(*method.function, role, node.name + "." + name)});
        }
        for (auto& block : node.static_blocks)
            box->static_blocks.push_back(separate_function(*block, Proto::Role::Method, node.name + ".static"));
        if (node.is_static || !box->static_methods.empty()) global(node.name, node.name_span);

        auto& boxes = proto().boxes;
        if (boxes.size() >= kMaxOperand) fail(node.name_span, "Too many boxes are declared here (more than 32767)");
        boxes.push_back(std::move(box));
        declared(emit(Op::DeclareBox, node.name_span, static_cast<std::uint16_t>(boxes.size() - 1)));
    }

    void declare_interface(InterfaceStmt& stmt) {
        auto interface = std::make_unique<InterfaceProto>();
        interface->source = source_;
        interface->name = name_at(stmt.name, stmt.name_span);
        for (const auto& method : stmt.methods)
            interface->methods.push_back({runtime_.names().intern(method.name), method.parameters.size()});
        auto& interfaces = proto().interfaces;
        if (interfaces.size() >= kMaxOperand) fail(stmt.name_span, "Too many interfaces are declared here");
        interfaces.push_back(std::move(interface));
        declared(emit(Op::DeclareInterface, stmt.name_span, static_cast<std::uint16_t>(interfaces.size() - 1)));
    }

    std::uint16_t add_lambda(std::unique_ptr<Proto> compiled, Span span) {
        if (proto().lambdas.size() >= kMaxOperand)
            fail(span, "The function contains too many functions (more than 32767)");
        proto().lambdas.push_back(std::move(compiled));
        return static_cast<std::uint16_t>(proto().lambdas.size() - 1);
    }

    void local(LocalStmt& stmt) {
        for (auto& declared : stmt.variables) {
            Variable& variable = *declared.variable;
            if (declared.is_redeclaration || variable.is_hoisted) {
                if (declared.value) {
                    store_local(variable, *declared.value, declared.span);
                } else {
                    const Register null = take(declared.span);
                    emit(Op::LoadNull, declared.span, null);
                    store_local(variable, null, declared.span);
                }
                f_->next = f_->locals_end;
                continue;
            }
            // The new variable's register is still a temporary while its value is computed.
            const Register place = take(declared.span);
            // A lambda that may call itself captures the cell it will be kept in.
            const bool is_cell_first =
                variable.is_captured && declared.value && declared.value->kind == ExprKind::Lambda;
            if (declared.value && !is_cell_first) {
                into(*declared.value, place);
            } else {
                emit(Op::LoadNull, declared.span, place);
            }
            if (variable.is_captured) emit(Op::NewCell, declared.span, place);
            variable.place = place;
            f_->locals_end = f_->next = static_cast<Register>(place + 1);
            if (is_cell_first) {
                store_local(variable, *declared.value, declared.span);
                f_->next = f_->locals_end;
            }
        }
    }

    void if_statement(IfStmt& stmt) {
        Label end;
        for (std::size_t i = 0; i < stmt.branches.size(); ++i) {
            auto& branch = stmt.branches[i];
            Label otherwise;
            branch_on(*branch.condition, false, otherwise);
            f_->next = f_->locals_end;
            block(branch.body, stmt.span);
            if (i + 1 < stmt.branches.size() || stmt.has_else) jump(end, stmt.span);
            land(otherwise);
        }
        if (stmt.has_else) block(stmt.otherwise, stmt.span);
        land(end);
    }

    void loop(LoopStmt& stmt) {
        f_->loops.push_back({{}, {}, f_->locals_end});
        const std::size_t start = here();
        if (stmt.condition) {
            branch_on(*stmt.condition, false, f_->loops.back().breaks);
            f_->next = f_->locals_end;
        }
        block(stmt.body, stmt.span);
        land_at(f_->loops.back().continues, here());
        jump_back(start, stmt.span);
        land(f_->loops.back().breaks);
        f_->loops.pop_back();
    }

    void leave_loop(Stmt& stmt) {
        const bool is_break = stmt.kind == StmtKind::Break;
        if (f_->loops.empty()) fail(stmt.span, is_break ? "'break' outside a loop" : "'continue' outside a loop");
        leave_loop(is_break, stmt.span);
    }
    void leave_loop(bool is_break, Span span) {
        if (!f_->finallies.empty() && f_->finallies.back().loops == f_->loops.size()) {
            return leave_by_finally(is_break ? FinallyState::Break : FinallyState::Continue, {}, span);
        }
        auto& loop = f_->loops.back();
        clear_from(loop.first_local, span);
        jump(is_break ? loop.breaks : loop.continues, span);
    }

    // ---- errors ----

    void protect(std::size_t start, std::size_t target, Register floor, Register error) {
        proto().handlers.push_back({static_cast<std::uint32_t>(start), static_cast<std::uint32_t>(here()),
                                    static_cast<std::uint32_t>(target), floor, error});
    }
    // The same for what was compiled from `start` on; the code that handles it comes next.
    void protect_so_far(std::size_t start, Register floor, Register error) { protect(start, here(), floor, error); }

    void try_statement(TryStmt& stmt) {
        if (!stmt.has_finally) return try_catch(stmt);
        const Span span = stmt.span;
        const Register first = f_->locals_end;
        const Register exit = hidden_local(span);
        const Register pending = hidden_local(span);
        emit_wide(Op::LoadInteger, span, exit, FinallyState::End);
        emit(Op::LoadNull, span, pending);
        f_->finallies.push_back({exit, pending, f_->loops.size(), {}, {}});
        const std::size_t start = here();
        try_catch(stmt);
        Label& to_finally = f_->finallies.back().to_finally;
        jump(to_finally, span);
        protect_so_far(start, f_->locals_end, pending);
        emit_wide(Op::LoadInteger, span, exit, FinallyState::Error);
        land(to_finally);
        const FinallyState state = std::move(f_->finallies.back());
        f_->finallies.pop_back();

        block(stmt.finally, span);
        const auto on = [&](FinallyState::Exit how, auto&& go_on) {
            if (how != FinallyState::Error && !state.is_used[how]) return;
            Label otherwise;
            emit(Op::TestEqual, span, 0, exit, number_constant(Value::integer(how), span), 0);
            jump(otherwise, span);
            go_on();
            land(otherwise);
        };
        on(FinallyState::Error, [&] { emit(Op::Rethrow, span, pending); });
        on(FinallyState::Return, [&] { return_pending(pending, span); });
        on(FinallyState::Break, [&] { leave_loop(true, span); });
        on(FinallyState::Continue, [&] { leave_loop(false, span); });
        end_locals(first, span);
    }

    // Notes how the innermost protected part is left, and goes to its finally block.
    void leave_by_finally(FinallyState::Exit how, std::optional<Operand> value, Span span) {
        auto& state = f_->finallies.back();
        if (value) {
            if (is_constant(*value)) {
                emit_wide(Op::LoadConstant, span, state.pending, *value & ~kConstantBit);
            } else {
                emit(Op::Move, span, state.pending, *value);
            }
        }
        emit_wide(Op::LoadInteger, span, state.exit, how);
        state.is_used[how] = true;
        const auto first = static_cast<Register>(state.pending + 1);
        const Register end = std::max(f_->next, std::max(f_->locals_end, f_->dirty_end));
        if (end > first) emit(Op::Clear, span, first, static_cast<std::uint16_t>(end - first));
        jump(state.to_finally, span);
    }

    void return_pending(Register pending, Span span) {
        if (!f_->finallies.empty()) return leave_by_finally(FinallyState::Return, pending, span);
        if (proto().role == Proto::Role::Constructor) {
            emit(Op::ReturnMe, span);
        } else {
            emit(Op::Return, span, pending, 0, 0, 1);
        }
    }

    // The body and its catch clauses.
    void try_catch(TryStmt& stmt) {
        const Span span = stmt.span;
        if (stmt.catches.empty()) return block(stmt.body, span);
        Label end;
        const Register first = f_->locals_end;
        const std::size_t start = here();
        block(stmt.body, span);
        jump(end, span);
        const Register caught = hidden_local(span);
        protect_so_far(start, first, caught);
        bool catches_all = false;
        for (auto& clause : stmt.catches) {
            Label next;
            catches_all = clause.type.empty();
            if (!catches_all) {
                emit(Op::TestCaught, clause.type_span, caught, site(clause.type, {}, clause.type_span));
                jump(next, span);
            }
            const Register locals = f_->locals_end;
            if (clause.variable) {
                const Register place = hidden_local(clause.name_span);
                emit(Op::CaughtValue, clause.name_span, place, caught);
                if (clause.variable->is_captured) emit(Op::NewCell, clause.name_span, place);
                clause.variable->place = place;
            }
            block(clause.body, span);
            clear_from(first, span);
            jump(end, span);
            f_->locals_end = f_->next = locals;
            land(next);
            if (catches_all) break;  // what follows can never run
        }
        if (!catches_all) emit(Op::Rethrow, span, caught);
        f_->locals_end = f_->next = first;
        land(end);
    }

    // nowait f = expr
    void nowait(NowaitStmt& stmt) {
        const Span span = stmt.span;
        Register declared = 0;
        if (stmt.declares && !stmt.target->variable->is_hoisted) {
            declared = take(stmt.target->span);
            emit(Op::LoadNull, span, declared);
            if (stmt.target->variable->is_captured) emit(Op::NewCell, span, declared);
            stmt.target->variable->place = declared;
            f_->locals_end = f_->next;
        }
        const Register future = take(span);
        const Register caught = take(span);
        emit(Op::LoadNull, span, caught);
        soil(future);
        soil(caught);
        Label end;
        const Register before = f_->next;
        const std::size_t start = here();
        Expr& expr = *stmt.value;
        if (expr.kind == ExprKind::MethodCall) {
            method_call(static_cast<MethodCallExpr&>(expr), future, Op::InvokeAsync);
        } else if (expr.kind == ExprKind::ParentCall) {
            parent_call(static_cast<ParentCallExpr&>(expr), future, Op::InvokeParentAsync);
        } else {
            into(expr, future);
        }
        f_->next = before;
        emit(Op::NewFuture, span, future, future);
        jump(end, span);
        protect_so_far(start, f_->next, caught);
        emit(Op::FailedFuture, span, future, caught);
        land(end);
        store(*stmt.target, future);
    }

    // ---- assignment ----

    // The operand returned is the value assigned.
    Operand assign(AssignStmt& stmt) {
        switch (stmt.target->kind) {
            case ExprKind::Name:
                return assign_name(stmt, static_cast<NameExpr&>(*stmt.target));
            case ExprKind::Field: {
                auto& target = static_cast<FieldExpr&>(*stmt.target);
                const Register object = in_register(*target.object);
                const std::uint16_t at = site(target.name, {}, target.name_span);
                Operand value = 0;
                if (stmt.op) {
                    const Register old = take(stmt.span);
                    emit(Op::GetField, target.name_span, old, object, at);
                    soil(old);
                    value = combine(stmt, old);
                } else {
                    value = operand(*stmt.value);
                }
                emit(Op::SetField, target.name_span, object, value, at);
                return value;
            }
            case ExprKind::Index: {
                auto& target = static_cast<IndexExpr&>(*stmt.target);
                const Register object = in_register(*target.object);
                const Operand index = operand(*target.index);
                Operand value = 0;
                if (stmt.op) {
                    const Register old = take(stmt.span);
                    emit(Op::GetIndex, target.span, old, object, index);
                    soil(old);
                    value = combine(stmt, old);
                } else {
                    value = operand(*stmt.value);
                }
                emit(Op::SetIndex, target.span, object, index, value);
                return value;
            }
            default:
                fail(stmt.target->span, "This cannot be assigned to");
        }
    }

    // old op= value, into old's register.
    Operand combine(AssignStmt& stmt, Register old) {
        const Operand right = operand(*stmt.value);
        emit(arithmetic(*stmt.op), stmt.op_span, old, old, right, *stmt.op == BinaryOp::Add ? 1 : 0);
        return old;
    }

    Operand assign_name(AssignStmt& stmt, NameExpr& target) {
        const Variable* variable = target.variable;
        const bool in_own_register = variable && variable->owner == &f_->node && !variable->is_captured;
        if (in_own_register && !variable->is_created_by_assignment) {
            if (stmt.op) {
                const Operand right = operand(*stmt.value);
                emit(arithmetic(*stmt.op), stmt.op_span, variable->place, variable->place, right);
            } else {
                into(*stmt.value, variable->place);
            }
            return variable->place;
        }
        Register value = 0;
        if (stmt.op) {
            value = take(stmt.span);
            into(target, value);
            combine(stmt, value);
        } else {
            value = in_register(*stmt.value);
        }
        store(target, value);
        return value;
    }

    // Register `value` becomes the value of the named variable.
    void store(NameExpr& target, Register value) {
        const Variable* variable = target.variable;
        const Span span = target.span;
        if (!variable) {
            const Op op = runtime_.options().strict_variables ? Op::SetExistingGlobal : Op::SetGlobal;
            emit(op, span, value, global(target.name, span));
            return;
        }
        const bool own = variable->owner == &f_->node;
        const std::uint16_t place = own ? variable->place : capture(*f_, variable);
        if (variable->is_created_by_assignment) {
            const Op op = !own ? Op::SetCreatedCapture : variable->is_captured ? Op::SetCreatedCell : Op::SetCreated;
            emit(op, span, value, place, global(target.name, span));
        } else if (!own) {
            emit(Op::SetCapture, span, value, place);
        } else if (variable->is_captured) {
            emit(Op::SetCell, span, value, place);
        } else {
            emit(Op::Move, span, place, value);
        }
    }

    void store_local(Variable& variable, Expr& value, Span span) {
        if (variable.is_captured) return store_local(variable, in_register(value), span);
        into(value, variable.place);
    }
    void store_local(Variable& variable, Register value, Span span) {
        if (variable.is_captured) {
            emit(Op::SetCell, span, value, variable.place);
        } else {
            emit(Op::Move, span, variable.place, value);
        }
    }

    // ---- conditions ----

    // Jumps to `label` if the truth of `expr` is `when`, else goes on.
    void branch_on(Expr& expr, bool when, Label& label) {
        if (expr.kind == ExprKind::Logical) {
            auto& node = static_cast<LogicalExpr&>(expr);
            // `and` is settled by a false left side, `or` by a true one.
            const bool settled_by = !node.is_and;
            if (when == settled_by) {
                branch_on(*node.left, when, label);
                branch_on(*node.right, when, label);
            } else {
                Label settled;
                branch_on(*node.left, settled_by, settled);
                branch_on(*node.right, when, label);
                land(settled);
            }
            return;
        }
        if (expr.kind == ExprKind::Unary && static_cast<UnaryExpr&>(expr).op == UnaryOp::Not) {
            return branch_on(*static_cast<UnaryExpr&>(expr).operand, !when, label);
        }
        const Register before = f_->next;
        if (expr.kind == ExprKind::Binary && test_for(static_cast<BinaryExpr&>(expr).op)) {
            auto& node = static_cast<BinaryExpr&>(expr);
            const Operand left = operand(*node.left);
            const Operand right = operand(*node.right);
            const bool expected = node.op == BinaryOp::NotEqual ? !when : when;
            emit(*test_for(node.op), node.op_span, 0, left, right, expected ? 1 : 0);
            jump(label, expr.span);
        } else {
            const Register value = in_register(expr);
            jump(label, expr.span, when ? Op::JumpIfTrue : Op::JumpIfFalse, value);
        }
        f_->next = before;
    }

    static std::optional<Op> test_for(BinaryOp op) {
        switch (op) {
            case BinaryOp::Equal:
            case BinaryOp::NotEqual:
                return Op::TestEqual;
            case BinaryOp::Less:
                return Op::TestLess;
            case BinaryOp::LessEqual:
                return Op::TestLessEqual;
            case BinaryOp::Greater:
                return Op::TestGreater;
            case BinaryOp::GreaterEqual:
                return Op::TestGreaterEqual;
            default:
                return std::nullopt;
        }
    }

    static Op arithmetic(BinaryOp op) {
        switch (op) {
            case BinaryOp::Add:
                return Op::Add;
            case BinaryOp::Subtract:
                return Op::Subtract;
            case BinaryOp::Multiply:
                return Op::Multiply;
            case BinaryOp::Divide:
                return Op::Divide;
            case BinaryOp::Modulo:
                return Op::Modulo;
            case BinaryOp::Equal:
                return Op::Equal;
            case BinaryOp::NotEqual:
                return Op::NotEqual;
            case BinaryOp::Less:
                return Op::Less;
            case BinaryOp::LessEqual:
                return Op::LessEqual;
            case BinaryOp::Greater:
                return Op::Greater;
            case BinaryOp::GreaterEqual:
                return Op::GreaterEqual;
            case BinaryOp::Channel:
                break;
        }
        return Op::Add;
    }

    // ---- expressions ----

    // The value as an operand: a literal or local variable itself, else a fresh temporary.
    Operand operand(Expr& expr) {
        switch (expr.kind) {
            case ExprKind::Null:
                return number_constant(Value::null(), expr.span);
            case ExprKind::Void:
                return number_constant(Value::nothing(), expr.span);
            case ExprKind::Bool:
                return number_constant(Value::boolean(static_cast<LiteralExpr&>(expr).boolean), expr.span);
            case ExprKind::Integer:
                return number_constant(Value::integer(static_cast<LiteralExpr&>(expr).integer), expr.span);
            case ExprKind::Float:
                return number_constant(Value::number(static_cast<LiteralExpr&>(expr).number), expr.span);
            case ExprKind::String:
                return text_constant(static_cast<LiteralExpr&>(expr).text, expr.span);
            default:
                return in_register(expr);
        }
    }

    // The value in a register: the variable's own, or a fresh temporary.
    Register in_register(Expr& expr) {
        if (expr.kind == ExprKind::Name) {
            const Variable* variable = static_cast<NameExpr&>(expr).variable;
            const bool plain = variable && variable->owner == &f_->node && !variable->is_captured;
            if (plain && !variable->is_created_by_assignment) return variable->place;
        }
        if (expr.kind == ExprKind::Me) {
            const Variable* variable = f_->node.me;
            if (variable->owner == &f_->node && !variable->is_captured) return variable->place;
        }
        const Register r = take(expr.span);
        into(expr, r);
        return r;
    }

    // Computes `expr` into register `target`. Where target is a variable, it is written last.
    void into(Expr& expr, Register target) {
        const Register before = f_->next;
        into_itself(expr, target);
        f_->next = std::max<Register>(before, f_->locals_end);
    }

    void into_itself(Expr& expr, Register target) {
        const Span span = expr.span;
        switch (expr.kind) {
            case ExprKind::Null:
                emit(Op::LoadNull, span, target);
                return;
            case ExprKind::Void:
                emit(Op::LoadVoid, span, target);
                return;
            case ExprKind::Bool:
                emit(static_cast<LiteralExpr&>(expr).boolean ? Op::LoadTrue : Op::LoadFalse, span, target);
                return;
            case ExprKind::Integer:
            case ExprKind::Float:
            case ExprKind::String:
                return literal(expr, target);
            case ExprKind::Name:
                return name(static_cast<NameExpr&>(expr), target);
            case ExprKind::Me:
                return me(span, target);
            case ExprKind::Unary: {
                auto& node = static_cast<UnaryExpr&>(expr);
                emit(node.op == UnaryOp::Not ? Op::Not : Op::Negate, span, target, operand(*node.operand));
                return;
            }
            case ExprKind::Binary:
                return binary(static_cast<BinaryExpr&>(expr), target);
            case ExprKind::Logical: {
                Label no;
                Label end;
                branch_on(expr, false, no);
                emit(Op::LoadTrue, span, target);
                jump(end, span);
                land(no);
                emit(Op::LoadFalse, span, target);
                return land(end);
            }
            case ExprKind::Ternary: {
                auto& node = static_cast<TernaryExpr&>(expr);
                Label no;
                Label end;
                branch_on(*node.condition, false, no);
                into(*node.then, target);
                jump(end, span);
                land(no);
                into(*node.otherwise, target);
                return land(end);
            }
            case ExprKind::Await:
                emit(Op::Await, span, target, operand(*static_cast<AwaitExpr&>(expr).operand));
                return soil(target);
            case ExprKind::ParentCall:
                return parent_call(static_cast<ParentCallExpr&>(expr), target, Op::InvokeParent);
            case ExprKind::Call:
                return call(static_cast<CallExpr&>(expr), target);
            case ExprKind::MethodCall:
                return method_call(static_cast<MethodCallExpr&>(expr), target, Op::Invoke);
            case ExprKind::Field: {
                auto& node = static_cast<FieldExpr&>(expr);
                const Register object = in_register(*node.object);
                emit(Op::GetField, node.name_span, target, object, site(node.name, {}, node.name_span));
                return soil(target);
            }
            case ExprKind::Index: {
                auto& node = static_cast<IndexExpr&>(expr);
                const Register object = in_register(*node.object);
                emit(Op::GetIndex, span, target, object, operand(*node.index));
                return soil(target);
            }
            case ExprKind::New: {
                auto& node = static_cast<NewExpr&>(expr);
                const Register window = take(span);
                arguments(node.arguments);
                const std::uint16_t at = site(node.name, node.arguments, node.name_span);
                for (const auto& type : node.type_arguments)
                    site_at(at).type_arguments.push_back(runtime_.names().intern(type));
                emit(Op::New, node.name_span, target, window, at, node.arguments.size());
                soil(static_cast<Register>(window + node.arguments.size()));
                return soil(target);
            }
            case ExprKind::Lambda: {
                auto compiled = function(*static_cast<LambdaExpr&>(expr).function);
                emit(Op::NewFunction, span, target, add_lambda(std::move(compiled), span));
                return soil(target);
            }
            case ExprKind::Array:
                return array(static_cast<ArrayExpr&>(expr), target);
            case ExprKind::Object:
                return object(static_cast<ObjectExpr&>(expr), target);
        }
    }

    void literal(Expr& expr, Register target) {
        auto& node = static_cast<LiteralExpr&>(expr);
        const bool is_small = node.integer >= INT32_MIN && node.integer <= INT32_MAX;
        if (expr.kind == ExprKind::Integer && is_small) {
            emit_wide(Op::LoadInteger, expr.span, target, static_cast<std::int32_t>(node.integer));
            return;
        }
        emit_wide(Op::LoadConstant, expr.span, target, operand(expr) & ~kConstantBit);
        if (expr.kind == ExprKind::String) soil(target);
    }

    void name(NameExpr& expr, Register target) {
        const Variable* variable = expr.variable;
        const Span span = expr.span;
        soil(target);
        if (!variable) {
            emit(Op::GetGlobal, span, target, global(expr.name, span));
            return;
        }
        const bool own = variable->owner == &f_->node;
        const std::uint16_t place = own ? variable->place : capture(*f_, variable);
        if (variable->is_created_by_assignment) {
            const Op op = !own ? Op::GetCreatedCapture : variable->is_captured ? Op::GetCreatedCell : Op::GetCreated;
            emit(op, span, target, place, global(expr.name, span));
        } else if (!own) {
            emit(Op::GetCapture, span, target, place);
        } else if (variable->is_captured) {
            emit(Op::GetCell, span, target, place);
        } else if (place != target) {
            emit(Op::Move, span, target, place);
        }
    }

    void me(Span span, Register target) {
        const Variable* variable = f_->node.me;
        soil(target);
        if (variable->owner != &f_->node) {
            emit(Op::GetCapture, span, target, capture(*f_, variable));
        } else {
            emit(variable->is_captured ? Op::GetCell : Op::Move, span, target, variable->place);
        }
    }

    void binary(BinaryExpr& node, Register target) {
        if (node.op == BinaryOp::Channel) {
            fail(node.op_span, "'>>' is not supported", "send messages between boxes with P2PBox");
        }
        // A chain a + b + c… builds its left side in the target, unless that is a variable the right
        // side may still read.
        Operand left = 0;
        if (node.left->kind == ExprKind::Binary && is_temporary(target)) {
            into(*node.left, target);
            left = target;
        } else {
            left = operand(*node.left);
        }
        const Operand right = operand(*node.right);
        const bool is_last_use = node.op == BinaryOp::Add && !is_constant(left) && is_temporary(left);
        emit(arithmetic(node.op), node.op_span, target, left, right, is_last_use ? 1 : 0);
        if (node.op == BinaryOp::Add || node.op == BinaryOp::Multiply) soil(target);
    }

    // Arguments follow their call's window in order.
    void arguments(std::vector<Argument>& list) {
        for (auto& argument : list) into(*argument.value, take(argument.value->span));
    }

    void method_call(MethodCallExpr& node, Register target, Op op) {
        const Register window = take(node.span);
        into(*node.object, window);
        if (node.name == "fini" && node.object->kind == ExprKind::Field)
            forbid_weak(static_cast<FieldExpr&>(*node.object));
        arguments(node.arguments);
        emit(op, node.name_span, target, window, site(node.name, node.arguments, node.name_span),
             node.arguments.size());
        soil(static_cast<Register>(window + node.arguments.size()));
        soil(target);
    }

    // `me.f.fini()`: what a weak field refers to belongs to somebody else.
    void forbid_weak(FieldExpr& field) {
        if (field.object->kind != ExprKind::Me) return;
        const Register before = f_->next;
        const Register object = in_register(*field.object);
        emit(Op::CheckStrong, field.name_span, object, site(field.name, {}, field.name_span));
        f_->next = before;
    }

    void parent_call(ParentCallExpr& node, Register target, Op op) {
        const Register window = take(node.span);
        me(node.span, window);
        arguments(node.arguments);
        const std::uint16_t at = site(node.method, node.arguments, node.method_span);
        site_at(at).parent = runtime_.names().intern(node.parent);
        emit(op, node.method_span, target, window, at, node.arguments.size());
        soil(static_cast<Register>(window + node.arguments.size()));
        soil(target);
    }

    void call(CallExpr& node, Register target) {
        const Register window = take(node.span);
        into(*node.callee, window);
        arguments(node.arguments);
        const Span span = node.callee->span;
        emit(Op::Call, span, target, window, site("", node.arguments, span), node.arguments.size());
        soil(static_cast<Register>(window + node.arguments.size()));
        soil(target);
    }

    void array(ArrayExpr& node, Register target) {
        constexpr std::size_t kChunk = 32;
        const Register made = is_temporary(target) ? target : take(node.span);
        emit_wide(Op::NewArray, node.span, made, static_cast<std::int32_t>(node.items.size()));
        soil(made);
        for (std::size_t i = 0; i < node.items.size(); i += kChunk) {
            const std::size_t count = std::min(kChunk, node.items.size() - i);
            const Register first = f_->next;
            for (std::size_t j = i; j < i + count; ++j) into(*node.items[j], take(node.items[j]->span));
            emit(Op::Append, node.span, made, first, 0, count);
            soil(static_cast<Register>(first + count - 1));
            f_->next = first;
        }
        if (made != target) emit(Op::Move, node.span, target, made);
    }

    void object(ObjectExpr& node, Register target) {
        const Register made = is_temporary(target) ? target : take(node.span);
        emit(Op::NewMap, node.span, made);
        soil(made);
        for (auto& pair : node.pairs) {
            const Register before = f_->next;
            const Operand key = text_constant(pair.key, pair.key_span);
            const Operand value = operand(*pair.value);
            emit(Op::PutEntry, pair.key_span, made, key, value);
            f_->next = before;
        }
        if (made != target) emit(Op::Move, node.span, target, made);
    }

    std::shared_ptr<const Source> source_;
};

}  // namespace

std::expected<std::unique_ptr<Proto>, Diagnostic> compile(const Program& program, Runtime& runtime) {
    try {
        return Compiler(runtime, program.source).program(*program.main);
    } catch (CompileError& error) {
        return std::unexpected(std::move(error.diagnostic));
    }
}

}  // namespace nyash
