#include "nyash/syntax/parser.h"

#include <algorithm>
#include <initializer_list>

#include "nyash/syntax/foreign_words.h"
#include "nyash/syntax/lexer.h"
#include "nyash/syntax/token.h"
#include "nyash/syntax/variable.h"

namespace nyash {
namespace {

// Thrown to leave the descent at the first error, caught in parse(): never leaves this file.
struct SyntaxError {
    Diagnostic diagnostic;
};

class Parser {
public:
    Parser(const Source& source, std::vector<Token> tokens) : source_(source), tokens_(std::move(tokens)) {}

    std::unique_ptr<FunctionNode> program() {
        auto main = std::make_unique<FunctionNode>();
        main->name = "main";
        for (skip_newlines(); !at(TokenKind::EndOfFile); skip_newlines()) {
            if (at(TokenKind::RightBrace)) fail("Unexpected '}'", "there is no '{' for it to close");
            main->body.push_back(statement());
        }
        return main;
    }

private:
    // ---- looking at tokens ----

    const Token& current() {
        if (newlines_ignored_) skip_newlines();
        return tokens_[index_];
    }
    bool at(TokenKind kind) { return current().kind == kind; }
    // The token after the current one, line ends included.
    const Token& following(std::size_t ahead = 1) {
        current();
        return tokens_[std::min(index_ + ahead, tokens_.size() - 1)];
    }
    // Past any line ends from here on.
    const Token& beyond_newlines() {
        std::size_t i = index_;
        while (tokens_[i].kind == TokenKind::Newline) ++i;
        return tokens_[i];
    }
    void skip_newlines() {
        while (tokens_[index_].kind == TokenKind::Newline) ++index_;
    }
    Token& advance() {
        current();
        Token& token = tokens_[index_];
        if (token.kind != TokenKind::EndOfFile) ++index_;
        last_ = token.span;
        return token;
    }
    bool accept(TokenKind kind) {
        if (!at(kind)) return false;
        advance();
        return true;
    }
    Token& expect(TokenKind kind, std::string_view where) {
        if (!at(kind)) fail_expected(describe(kind), where);
        return advance();
    }
    bool at_word(std::string_view text) { return current().kind == TokenKind::Identifier && current().text == text; }
    bool at_statement_end() {
        const auto kind = current().kind;
        return kind == TokenKind::Newline || kind == TokenKind::RightBrace || kind == TokenKind::EndOfFile;
    }

    [[noreturn]] void fail_at(Span span, std::string message, std::string help = {}) {
        // A line that begins like another language says more than where it stops making sense.
        if (foreign_line_ > 0 && foreign_line_ == source_.line_of(span.offset)) help = foreign_help_;
        throw SyntaxError{{std::move(message), span, std::move(help), {}}};
    }
    [[noreturn]] void fail(std::string message, std::string help = {}) {
        fail_at(current().span, std::move(message), std::move(help));
    }
    [[noreturn]] void fail_expected(std::string_view what, std::string_view where) {
        const Token& found = current();
        std::string help;
        if (!open_braces_.empty() && found.kind == TokenKind::EndOfFile) {
            const auto line = source_.line_of(open_braces_.back().offset);
            help = "the '{' of line " + std::to_string(line) + " is never closed";
            if (misindented_ > 0) {
                help = "the '{' of line " + std::to_string(misindented_) + " is perhaps the one that is never closed";
            }
        }
        if (help.empty()) help = help_for_found(found);
        const std::string shown = found.is_word ? "'" + found.text + "'" : std::string(describe(found.kind));
        fail("Expected " + std::string(what) + " " + std::string(where) + ", found " + shown, std::move(help));
    }

    // What was probably meant when this token stands in the wrong place.
    std::string help_for_found(const Token& found) const {
        if (found.kind == TokenKind::Equal) return "to compare, write ==";
        if (found.kind == TokenKind::FatArrow) return "a lambda is written  function(x) { return … }";
        if (found.kind == TokenKind::Plus && index_ > 0 && tokens_[index_ - 1].kind == TokenKind::Plus)
            return "to count up, write  i += 1";
        if (found.kind == TokenKind::Minus && index_ > 0 && tokens_[index_ - 1].kind == TokenKind::Minus)
            return "to count down, write  i -= 1";
        if (!open_brackets_.empty()) {
            const Span open = open_brackets_.back();
            const auto line = source_.line_of(open.offset);
            if (source_.line_of(found.span.offset) > line) {
                return "the '" + std::string(source_.text(open)) + "' of line " + std::to_string(line) +
                       " is not closed";
            }
        }
        return {};
    }

    // An opening bracket, as long as it is open.
    class Bracket {
    public:
        Bracket(Parser& parser, Span span) : parser_(parser) { parser_.open_brackets_.push_back(span); }
        ~Bracket() { parser_.open_brackets_.pop_back(); }
        Bracket(const Bracket&) = delete;
        Bracket& operator=(const Bracket&) = delete;

    private:
        Parser& parser_;
    };

    // Takes the '}' of the block opened last. When it begins a line, that line should be indented like the one of
    // its '{'; the first that is not hints at a brace missing above it.
    void close_brace() {
        const Span open = open_braces_.back();
        const auto close_line = source_.line_of(current().span.offset);
        const auto open_line = source_.line_of(open.offset);
        const std::uint32_t close_indent = indent_of(close_line);
        const bool begins_line = source_.line_start(close_line) + close_indent == current().span.offset;
        if (misindented_ == 0 && begins_line && close_line != open_line && indent_of(open_line) != close_indent)
            misindented_ = open_line;
        advance();
        open_braces_.pop_back();
    }
    std::uint32_t indent_of(std::uint32_t line) const {
        const auto first = source_.line_text(line).find_first_not_of(" \t");
        return first == std::string_view::npos ? 0 : static_cast<std::uint32_t>(first);
    }

    // A name. Keywords are names after `.`, as parameters, keys and labels (LANGUAGE, 1).
    Token& name(std::string_view where) {
        if (!at(TokenKind::Identifier)) {
            if (current().is_word)
                fail("Expected a name " + std::string(where) + ", found the keyword '" + current().text + "'");
            fail_expected("a name", where);
        }
        return advance();
    }
    Token& any_word(std::string_view where) {
        if (!current().is_word) fail_expected("a name", where);
        return advance();
    }

    // Counts levels on the way down.
    class Nesting {
    public:
        explicit Nesting(Parser& parser) : depth_(parser.depth_) {
            if (++depth_ > kMaxNesting) {
                parser.fail("The nesting is too deep (more than " + std::to_string(kMaxNesting) + " levels)",
                            "split this into functions or variables");
            }
        }
        ~Nesting() { --depth_; }
        Nesting(const Nesting&) = delete;
        Nesting& operator=(const Nesting&) = delete;

    private:
        int& depth_;
    };

    // Whether line ends count, until the end of this object's scope.
    class Newlines {
    public:
        Newlines(Parser& parser, bool ignored) : parser_(parser), outer_(parser.newlines_ignored_) {
            parser.newlines_ignored_ = ignored;
        }
        ~Newlines() { parser_.newlines_ignored_ = outer_; }
        Newlines(const Newlines&) = delete;
        Newlines& operator=(const Newlines&) = delete;

    private:
        Parser& parser_;
        bool outer_;
    };

    // Lifts a node above another one below it, and refuses towers.
    void raise(Expr& node, const Expr* below) {
        if (!below) return;
        node.height = std::max<std::uint16_t>(node.height, static_cast<std::uint16_t>(below->height + 1));
        if (node.height > kMaxChainLength) {
            fail_at(node.span, "The expression is too long (more than " + std::to_string(kMaxChainLength) + " steps)",
                    "split it into several statements");
        }
    }
    // A finished node, above those named.
    template <class Node>
    std::unique_ptr<Node> raised(std::unique_ptr<Node> node, std::initializer_list<const Expr*> below) {
        for (const Expr* child : below) raise(*node, child);
        return node;
    }

    // ---- statements ----

    Body block(std::string_view where) {
        Nesting nesting(*this);
        Newlines significant(*this, false);
        skip_newlines();
        const Span open = expect(TokenKind::LeftBrace, where).span;
        open_braces_.push_back(open);
        Body body;
        for (skip_newlines(); !at(TokenKind::RightBrace); skip_newlines()) {
            if (at(TokenKind::EndOfFile)) fail_expected("'}'", "at the end of the block");
            body.push_back(statement());
        }
        close_brace();
        return body;
    }

    StmtPtr statement() {
        Nesting nesting(*this);
        const Token& first = current();
        switch (first.kind) {
            case TokenKind::Box:
                return box(false);
            case TokenKind::Static:
                return static_declaration();
            case TokenKind::Interface:
                return interface();
            case TokenKind::Function:
                if (following().kind == TokenKind::LeftParen) break;  // a lambda
                return function_declaration();
            case TokenKind::Global:
                return global();
            case TokenKind::Local:
            case TokenKind::Outbox:
                return local();
            case TokenKind::If:
                return if_statement();
            case TokenKind::Loop:
                return loop();
            case TokenKind::Break:
                return std::make_unique<SimpleStmt>(StmtKind::Break, advance().span);
            case TokenKind::Return:
                return return_statement();
            case TokenKind::Print:
                return print();
            case TokenKind::Nowait:
                return nowait();
            case TokenKind::Include:
                return include();
            case TokenKind::Using:
                return using_statement();
            case TokenKind::Try:
                return try_statement();
            case TokenKind::Throw:
                return throw_statement();
            case TokenKind::LeftBrace:
                return block_statement();
            case TokenKind::Singleton:
                fail("'singleton' is a reserved word and has no meaning");
            case TokenKind::Else:
                fail("'else' without an 'if' before it");
            case TokenKind::Catch:
                fail("'catch' without a 'try' before it");
            case TokenKind::Finally:
                fail("'finally' without a 'try' before it");
            case TokenKind::Identifier:
                if (first.text == "continue" && ends_statement(following().kind)) {
                    return std::make_unique<SimpleStmt>(StmtKind::Continue, advance().span);
                }
                break;
            default:
                break;
        }
        if (first.kind == TokenKind::Identifier) {
            if (const auto help = help_for_foreign_word(first.text); !help.empty()) {
                foreign_help_ = help;
                foreign_line_ = source_.line_of(first.span.offset);
            }
        }
        return assignment_or_expression();
    }

    static bool ends_statement(TokenKind kind) {
        return kind == TokenKind::Newline || kind == TokenKind::RightBrace || kind == TokenKind::EndOfFile;
    }

    StmtPtr assignment_or_expression() {
        auto target = expression();
        std::optional<BinaryOp> op;
        switch (current().kind) {
            case TokenKind::Equal:
                break;
            case TokenKind::PlusEqual:
                op = BinaryOp::Add;
                break;
            case TokenKind::MinusEqual:
                op = BinaryOp::Subtract;
                break;
            case TokenKind::StarEqual:
                op = BinaryOp::Multiply;
                break;
            case TokenKind::SlashEqual:
                op = BinaryOp::Divide;
                break;
            default:
                return std::make_unique<ExpressionStmt>(std::move(target));
        }
        const auto kind = target->kind;
        if (kind != ExprKind::Name && kind != ExprKind::Field && kind != ExprKind::Index) {
            const bool is_me = kind == ExprKind::Me;
            fail_at(target->span, is_me ? "'me' cannot be assigned" : "This cannot be assigned to",
                    is_me ? "" : "the left side of '=' is a name, a field or an index");
        }
        const Span op_span = advance().span;
        skip_newlines();
        auto value = expression();
        const Span span = target->span.to(value->span);
        return std::make_unique<AssignStmt>(std::move(target), op, std::move(value), span, op_span);
    }

    StmtPtr block_statement() {
        auto stmt = std::make_unique<BlockStmt>(StmtKind::Block, current().span);
        stmt->body = block("to begin the block");
        return stmt;
    }

    StmtPtr global() {
        auto stmt = std::make_unique<GlobalStmt>(StmtKind::Global, advance().span);
        const Token& id = name("after 'global'");
        stmt->name = id.text;
        stmt->name_span = id.span;
        expect(TokenKind::Equal, "after the global's name");
        skip_newlines();
        stmt->value = expression();
        return stmt;
    }

    StmtPtr local() {
        const bool is_outbox = at(TokenKind::Outbox);
        auto stmt = std::make_unique<LocalStmt>(StmtKind::Local, advance().span);
        stmt->is_outbox = is_outbox;
        do {
            if (!stmt->variables.empty()) skip_newlines();
            const Token& id = at(TokenKind::From) ? advance() : name(is_outbox ? "after 'outbox'" : "after 'local'");
            auto& declared = stmt->variables.emplace_back();
            declared.name = id.text;
            declared.span = id.span;
            if (accept(TokenKind::Equal)) {
                skip_newlines();
                declared.value = expression();
            }
        } while (accept(TokenKind::Comma));
        return stmt;
    }

    StmtPtr if_statement() {
        auto stmt = std::make_unique<IfStmt>(StmtKind::If, current().span);
        while (true) {
            advance();  // if
            auto& branch = stmt->branches.emplace_back();
            branch.condition = expression();
            branch.body = block("after the condition");
            if (beyond_newlines().kind != TokenKind::Else) return stmt;
            skip_newlines();
            advance();  // else
            if (beyond_newlines().kind == TokenKind::If) {
                skip_newlines();
                continue;
            }
            if (beyond_newlines().kind != TokenKind::LeftBrace && !at(TokenKind::EndOfFile)) {
                const Token& found = current();
                fail("Expected '{' after 'else', found " +
                         (found.is_word ? "'" + found.text + "'" : std::string(describe(found.kind))),
                     "write  else if condition { … }");
            }
            stmt->has_else = true;
            stmt->otherwise = block("after 'else'");
            return stmt;
        }
    }

    StmtPtr loop() {
        auto stmt = std::make_unique<LoopStmt>(StmtKind::Loop, advance().span);
        if (at(TokenKind::LeftParen) && following().kind == TokenKind::RightParen) {
            advance();
            advance();
        } else if (beyond_newlines().kind != TokenKind::LeftBrace) {
            stmt->condition = expression();
        }
        stmt->body = block("to begin the loop's body");
        return stmt;
    }

    StmtPtr return_statement() {
        auto stmt = std::make_unique<ReturnStmt>(StmtKind::Return, advance().span);
        if (!at_statement_end()) stmt->value = expression();
        return stmt;
    }

    StmtPtr print() {
        auto stmt = std::make_unique<PrintStmt>(StmtKind::Print, advance().span);
        if (!at(TokenKind::LeftParen)) {
            fail("Expected '(' after 'print', found " + std::string(describe(current().kind)), "write  print(…)");
        }
        const Bracket open(*this, current().span);
        Newlines ignored(*this, true);
        advance();
        while (!at(TokenKind::RightParen)) {
            stmt->values.push_back(expression());
            limit_arguments(stmt->values.size());
            if (!at(TokenKind::RightParen)) expect(TokenKind::Comma, "between the values to print");
        }
        advance();
        return stmt;
    }

    StmtPtr nowait() {
        auto stmt = std::make_unique<NowaitStmt>(StmtKind::Nowait, advance().span);
        const Token& id = name("after 'nowait'");
        stmt->target = std::make_unique<NameExpr>(id.text, id.span);
        expect(TokenKind::Equal, "after the name");
        skip_newlines();
        stmt->value = expression();
        return stmt;
    }

    StmtPtr include() {
        auto stmt = std::make_unique<IncludeStmt>(StmtKind::Include, advance().span);
        const Token& path = expect(TokenKind::String, "after 'include'");
        stmt->path = path.text;
        stmt->path_span = path.span;
        return stmt;
    }

    StmtPtr using_statement() {
        auto stmt = std::make_unique<UsingStmt>(StmtKind::Using, advance().span);
        stmt->name_span = current().span;
        if (at(TokenKind::String)) {
            stmt->name = advance().text;
        } else {
            stmt->name = name("after 'using'").text;
            while (accept(TokenKind::Dot)) stmt->name += "." + any_word("after '.'").text;
        }
        if (at_word("as")) {
            advance();
            stmt->alias = name("after 'as'").text;
        }
        return stmt;
    }

    StmtPtr try_statement() {
        auto stmt = std::make_unique<TryStmt>(StmtKind::Try, advance().span);
        stmt->body = block("after 'try'");
        while (beyond_newlines().kind == TokenKind::Catch) {
            skip_newlines();
            advance();
            auto& clause = stmt->catches.emplace_back();
            if (accept(TokenKind::LeftParen)) {
                if (!at(TokenKind::RightParen)) {
                    const Token* id = &name("in 'catch ( )'");
                    if (at(TokenKind::Identifier)) {
                        clause.type = id->text;
                        clause.type_span = id->span;
                        id = &advance();
                    }
                    clause.name = id->text;
                    clause.name_span = id->span;
                }
                expect(TokenKind::RightParen, "after the name of the error");
            }
            clause.body = block("after 'catch'");
        }
        if (beyond_newlines().kind == TokenKind::Finally) {
            skip_newlines();
            advance();
            stmt->has_finally = true;
            stmt->finally = block("after 'finally'");
        }
        if (stmt->catches.empty() && !stmt->has_finally) {
            fail_at(stmt->span, "'try' without 'catch' or 'finally'", "add  catch (e) { … }  after the block");
        }
        return stmt;
    }

    StmtPtr throw_statement() {
        auto stmt = std::make_unique<ThrowStmt>(StmtKind::Throw, advance().span);
        stmt->value = expression();
        return stmt;
    }

    // ---- declarations ----

    std::vector<Parameter> parameters() {
        Newlines ignored(*this, true);
        const Bracket open(*this, expect(TokenKind::LeftParen, "to begin the parameters").span);
        std::vector<Parameter> list;
        while (!at(TokenKind::RightParen)) {
            const Token& id = any_word("as a parameter");
            const auto same = [&](const Parameter& p) { return p.name == id.text; };
            if (std::ranges::any_of(list, same)) fail_at(id.span, "The parameter '" + id.text + "' is named twice");
            list.push_back({id.text, id.span, nullptr});
            if (list.size() > kMaxParameters)
                fail_at(id.span, "Too many parameters (more than 200)", "pass an array or a map");
            if (accept(TokenKind::Colon)) type();
            if (!at(TokenKind::RightParen)) expect(TokenKind::Comma, "between the parameters");
        }
        advance();
        return list;
    }

    void type() {  // parsed and ignored
        any_word("as a type");
        if (accept(TokenKind::Less)) {
            do type();
            while (accept(TokenKind::Comma));
            // `>>` closes two lists at once: the first half is taken here, the other by the list around this one.
            if (at(TokenKind::ShiftRight)) {
                tokens_[index_].kind = TokenKind::Greater;
                return;
            }
            expect(TokenKind::Greater, "after the type arguments");
        }
    }

    std::unique_ptr<FunctionNode> function_rest(std::string function_name, Span span) {
        auto function = std::make_unique<FunctionNode>();
        function->name = std::move(function_name);
        function->span = span;
        function->parameters = parameters();
        function->body = block("to begin the function's body");
        return function;
    }

    StmtPtr function_declaration() {
        auto stmt = std::make_unique<FunctionStmt>(StmtKind::Function, advance().span);
        const Token& id = name("after 'function'");
        stmt->span = id.span;
        stmt->function = function_rest(id.text, id.span);
        return stmt;
    }

    StmtPtr static_declaration() {
        if (following().kind == TokenKind::Box) {
            advance();
            return box(true);
        }
        if (following().kind != TokenKind::Function) fail("Expected 'box' or 'function' after 'static'");
        advance();
        auto stmt = std::make_unique<FunctionStmt>(StmtKind::StaticFunction, advance().span);
        stmt->owner = name("after 'static function'").text;
        expect(TokenKind::Dot, "after the name, as in  static function Util.twice(x)");
        const Token& id = any_word("after '.'");
        stmt->span = id.span;
        stmt->function = function_rest(id.text, id.span);
        return stmt;
    }

    StmtPtr interface() {
        auto stmt = std::make_unique<InterfaceStmt>(StmtKind::Interface, advance().span);
        expect(TokenKind::Box, "after 'interface'");
        const Token& id = name("after 'interface box'");
        stmt->name = id.text;
        stmt->name_span = id.span;
        skip_newlines();
        open_braces_.push_back(expect(TokenKind::LeftBrace, "to begin the interface").span);
        for (skip_newlines(); !at(TokenKind::RightBrace); skip_newlines()) {
            const Token& method = any_word("of a method");
            auto& entry = stmt->methods.emplace_back();
            entry.name = method.text;
            entry.span = method.span;
            entry.parameters = parameters();
            accept(TokenKind::Comma);
        }
        close_brace();
        return stmt;
    }

    std::vector<NameRef> name_list(std::string_view where) {
        std::vector<NameRef> names;
        do {
            if (!names.empty()) skip_newlines();
            const Token& id = name(where);
            names.push_back({id.text, id.span});
        } while (accept(TokenKind::Comma));
        return names;
    }

    StmtPtr box(bool is_static) {
        Nesting nesting(*this);
        auto node = std::make_unique<BoxNode>(StmtKind::Box, advance().span);
        const Token& id = name("after 'box'");
        node->is_static = is_static;
        node->name = id.text;
        node->name_span = id.span;
        if (accept(TokenKind::Less)) {
            for (auto& parameter : name_list("as a type parameter"))
                node->type_parameters.push_back(std::move(parameter.name));
            expect(TokenKind::Greater, "after the type parameters");
        }
        if (accept(TokenKind::From) || accept(TokenKind::Colon)) node->parents = name_list("of a parent box");
        if (accept(TokenKind::Interface)) node->interfaces = name_list("of an interface");
        if (at_word("extends"))
            fail("Expected '{' to begin the box, found 'extends'",
                 "a parent is named with from:  box " + node->name + " from " + following().text);
        if (at_word("implements"))
            fail("Expected '{' to begin the box, found 'implements'",
                 "an interface is named with interface:  box " + node->name + " interface " + following().text);
        Newlines significant(*this, false);
        skip_newlines();
        open_braces_.push_back(expect(TokenKind::LeftBrace, "to begin the box").span);
        for (skip_newlines(); !at(TokenKind::RightBrace); skip_newlines()) {
            if (at(TokenKind::EndOfFile)) fail_expected("'}'", "at the end of the box");
            member(*node);
        }
        close_brace();
        return node;
    }

    // A keyword in a box body is a name when what follows says so (LANGUAGE, 1, e).
    bool at_member_name() {
        if (!current().is_word) return false;
        if (at(TokenKind::Identifier)) return true;
        const auto next = following().kind;
        return next == TokenKind::LeftParen || next == TokenKind::Comma || next == TokenKind::Newline ||
               next == TokenKind::RightBrace;
    }

    void member(BoxNode& node) {
        const bool brace_follows = [&] {
            std::size_t i = index_ + 1;
            while (i + 1 < tokens_.size() && tokens_[i].kind == TokenKind::Newline) ++i;
            return tokens_[i].kind == TokenKind::LeftBrace;
        }();
        if (at(TokenKind::Init) && brace_follows) return field_block(node, FieldDecl::Visibility::Unstated);
        if (at_word("public") && brace_follows) return field_block(node, FieldDecl::Visibility::Public);
        if (at_word("private") && brace_follows) return field_block(node, FieldDecl::Visibility::Private);
        if (at(TokenKind::Static) && brace_follows) {
            if (!node.is_static) fail("'static { }' belongs into a static box", "write  static box " + node.name);
            auto function = std::make_unique<FunctionNode>();
            function->name = "static";
            function->span = advance().span;
            function->body = block("after 'static'");
            node.static_blocks.push_back(std::move(function));
            return;
        }
        MethodDecl method;
        if (at(TokenKind::Static) && following().is_word) {
            method.role = MethodDecl::Role::StaticMethod;
            advance();
            if (at(TokenKind::Function) && following().kind != TokenKind::LeftParen) advance();
        } else if (at(TokenKind::Override) && following().is_word) {
            method.is_override = true;
            advance();
        }
        if (at(TokenKind::Weak) && following().is_word) {
            advance();
            return field(node, true);
        }
        if (!current().is_word) fail_expected("a field or a method", "in the box");
        if (following().kind != TokenKind::LeftParen) {
            if (method.is_override || method.role == MethodDecl::Role::StaticMethod) {
                advance();
                fail_expected("'('", "after the method's name");
            }
            if (!at_member_name()) {
                fail("Expected a field or a method in the box, found '" + current().text + "'",
                     "statements belong into a method");
            }
            return field(node, false);
        }
        const Token& id = advance();
        const bool constructs = id.text == "birth" || id.text == "init" || id.text == "pack" ||
                                id.text == "constructor" || id.text == node.name;
        if (constructs && method.role == MethodDecl::Role::Method) method.role = MethodDecl::Role::Constructor;
        method.function = function_rest(id.text, id.span);
        node.methods.push_back(std::move(method));
    }

    void field_block(BoxNode& node, FieldDecl::Visibility visibility) {
        advance();
        if (visibility != FieldDecl::Visibility::Unstated) node.restricts_visibility = true;
        skip_newlines();
        open_braces_.push_back(expect(TokenKind::LeftBrace, "to begin the fields").span);
        for (skip_newlines(); !at(TokenKind::RightBrace); skip_newlines()) {
            if (accept(TokenKind::Comma)) continue;
            bool is_weak = false;
            if (at(TokenKind::Weak) && following().is_word) {
                is_weak = true;
                advance();
            }
            const Token& id = any_word("of a field");
            node.fields.push_back({id.text, id.span, is_weak, visibility, nullptr});
        }
        close_brace();
    }

    void field(BoxNode& node, bool is_weak) {
        const Token& id = any_word("of a field");
        auto& field = node.fields.emplace_back();
        field.name = id.text;
        field.span = id.span;
        field.is_weak = is_weak;
        if (accept(TokenKind::Colon)) type();
        if (accept(TokenKind::Equal)) {
            skip_newlines();
            auto value = std::make_unique<ReturnStmt>(StmtKind::Return, id.span);
            value->value = expression();
            field.initializer = std::make_unique<FunctionNode>();
            field.initializer->name = id.text;
            field.initializer->span = id.span;
            field.initializer->body.push_back(std::move(value));
        }
        accept(TokenKind::Comma);
    }

    // ---- expressions ----

    ExprPtr expression() {
        Nesting nesting(*this);
        auto condition = binary(0);
        if (!accept(TokenKind::Question)) return condition;
        skip_newlines();
        auto then = expression();
        expect(TokenKind::Colon, "between the two results of '? :'");
        skip_newlines();
        auto otherwise = expression();
        const Span span = condition->span.to(otherwise->span);
        auto* c = condition.get();
        auto* t = then.get();
        auto* o = otherwise.get();
        return raised(std::make_unique<TernaryExpr>(std::move(condition), std::move(then), std::move(otherwise), span),
                      {c, t, o});
    }

    struct Infix {
        int level = -1;  // higher binds tighter
        bool is_logical = false;
        bool is_and = false;
        BinaryOp op = BinaryOp::Add;
    };

    static Infix infix(TokenKind kind) {
        switch (kind) {
            case TokenKind::OrOr:
                return {1, true, false, {}};
            case TokenKind::AndAnd:
                return {2, true, true, {}};
            case TokenKind::EqualEqual:
                return {3, false, false, BinaryOp::Equal};
            case TokenKind::NotEqual:
                return {3, false, false, BinaryOp::NotEqual};
            case TokenKind::Less:
                return {4, false, false, BinaryOp::Less};
            case TokenKind::LessEqual:
                return {4, false, false, BinaryOp::LessEqual};
            case TokenKind::Greater:
                return {4, false, false, BinaryOp::Greater};
            case TokenKind::GreaterEqual:
                return {4, false, false, BinaryOp::GreaterEqual};
            case TokenKind::Plus:
                return {5, false, false, BinaryOp::Add};
            case TokenKind::Minus:
                return {5, false, false, BinaryOp::Subtract};
            case TokenKind::ShiftRight:
                return {5, false, false, BinaryOp::Channel};
            case TokenKind::Star:
                return {6, false, false, BinaryOp::Multiply};
            case TokenKind::Slash:
                return {6, false, false, BinaryOp::Divide};
            case TokenKind::Percent:
                return {6, false, false, BinaryOp::Modulo};
            default:
                return {};
        }
    }

    // Operators of at least `level`, all left-associative.
    ExprPtr binary(int level) {
        auto left = unary();
        while (true) {
            const Infix op = infix(current().kind);
            if (op.level < 0 || op.level < level) return left;
            const Span op_span = advance().span;
            skip_newlines();
            auto right = binary(op.level + 1);
            const Span span = left->span.to(right->span);
            auto* l = left.get();
            auto* r = right.get();
            if (op.is_logical) {
                left =
                    raised(std::make_unique<LogicalExpr>(op.is_and, std::move(left), std::move(right), span), {l, r});
            } else {
                left = raised(std::make_unique<BinaryExpr>(op.op, std::move(left), std::move(right), span, op_span),
                              {l, r});
            }
        }
    }

    ExprPtr unary() {
        const auto kind = current().kind;
        if (kind != TokenKind::Minus && kind != TokenKind::Not && kind != TokenKind::Bang && kind != TokenKind::Await) {
            return postfix();
        }
        Nesting nesting(*this);
        const Span start = advance().span;
        auto operand = unary();
        auto* o = operand.get();
        const Span span = start.to(operand->span);
        if (kind == TokenKind::Await) return raised(std::make_unique<AwaitExpr>(std::move(operand), span), {o});
        const auto op = kind == TokenKind::Minus ? UnaryOp::Negate : UnaryOp::Not;
        return raised(std::make_unique<UnaryExpr>(op, std::move(operand), span), {o});
    }

    ExprPtr postfix() {
        auto expr = primary();
        while (true) {
            // A line that begins with `.` goes on with the expression above it.
            if (at(TokenKind::Newline) && beyond_newlines().kind == TokenKind::Dot) skip_newlines();
            if (at(TokenKind::Dot)) {
                expr = member_access(std::move(expr));
            } else if (at(TokenKind::LeftParen) && !current().newline_before) {
                auto* callee = expr.get();
                const Span start = expr->span;
                auto call = std::make_unique<CallExpr>(std::move(expr), start);
                call->arguments = arguments();
                call->span = start.to(last_);
                expr = with_arguments(std::move(call), callee);
            } else if (at(TokenKind::LeftBracket) && !current().newline_before) {
                auto* object = expr.get();
                const Span start = expr->span;
                Nesting nesting(*this);
                ExprPtr index;
                {
                    const Bracket open(*this, current().span);
                    Newlines ignored(*this, true);
                    advance();
                    index = expression();
                    expect(TokenKind::RightBracket, "after the index");
                }
                auto* i = index.get();
                expr = raised(std::make_unique<IndexExpr>(std::move(expr), std::move(index), start.to(last_)),
                              {object, i});
            } else {
                return expr;
            }
        }
    }

    ExprPtr member_access(ExprPtr object) {
        advance();  // .
        skip_newlines();
        const Token& id = any_word("after '.'");
        const Span name_span = id.span;
        std::string member_name = id.text;
        auto* o = object.get();
        const Span start = object->span;
        if (at(TokenKind::LeftParen) && !current().newline_before) {
            auto call = std::make_unique<MethodCallExpr>(std::move(object), std::move(member_name), start, name_span);
            call->arguments = arguments();
            call->span = start.to(last_);
            return with_arguments(std::move(call), o);
        }
        return raised(
            std::make_unique<FieldExpr>(std::move(object), std::move(member_name), start.to(name_span), name_span),
            {o});
    }

    // Height over a call's arguments as well as what is called.
    template <class Call>
    ExprPtr with_arguments(std::unique_ptr<Call> call, const Expr* called) {
        for (const auto& argument : call->arguments) raise(*call, argument.value.get());
        raise(*call, called);
        return call;
    }

    void limit_arguments(std::size_t count) {
        if (count > kMaxArguments) fail("Too many arguments (more than 200)", "pass an array or a map");
    }

    std::vector<Argument> arguments() {
        Nesting nesting(*this);
        Newlines ignored(*this, true);
        if (!at(TokenKind::LeftParen)) fail_expected("'('", "to begin the arguments");
        const Bracket open(*this, current().span);
        advance();
        std::vector<Argument> list;
        while (!at(TokenKind::RightParen)) {
            Argument argument;
            if (current().is_word && label_follows()) {
                const Token& label = advance();
                argument.name = label.text;
                argument.name_span = label.span;
                advance();  // :
            }
            argument.value = expression();
            list.push_back(std::move(argument));
            limit_arguments(list.size());
            if (!at(TokenKind::RightParen)) expect(TokenKind::Comma, "between the arguments");
        }
        advance();
        return list;
    }

    bool label_follows() {
        std::size_t i = index_ + 1;
        while (tokens_[i].kind == TokenKind::Newline) ++i;
        return tokens_[i].kind == TokenKind::Colon;
    }

    ExprPtr literal(ExprKind kind) {
        Token& token = advance();
        auto node = std::make_unique<LiteralExpr>(kind, token.span);
        node->boolean = token.kind == TokenKind::True;
        node->integer = token.integer;
        node->number = token.number;
        if (kind == ExprKind::String) node->text = std::move(token.text);
        return node;
    }

    ExprPtr primary() {
        switch (current().kind) {
            case TokenKind::String:
                return literal(ExprKind::String);
            case TokenKind::Integer:
                return literal(ExprKind::Integer);
            case TokenKind::Float:
                return literal(ExprKind::Float);
            case TokenKind::True:
            case TokenKind::False:
                return literal(ExprKind::Bool);
            case TokenKind::Null:
                return literal(ExprKind::Null);
            case TokenKind::Me:
                return literal(ExprKind::Me);
            case TokenKind::Identifier: {
                if (at_word("void")) return literal(ExprKind::Void);
                const Token& id = advance();
                return std::make_unique<NameExpr>(id.text, id.span);
            }
            case TokenKind::From:
                return from();
            case TokenKind::New:
                return new_expression();
            case TokenKind::Function:
                return lambda();
            case TokenKind::LeftBracket:
                return array();
            case TokenKind::LeftBrace:
            case TokenKind::PercentBrace:
                return object();
            case TokenKind::LeftParen:
                return parenthesized();
            default:
                break;
        }
        if (at(TokenKind::Print))
            fail("'print' is a statement and has no value", "use ConsoleBox: new ConsoleBox().log(…)");
        fail_expected("a value", "here");
    }

    // `from Parent.method(…)`, or the variable a handler calls `from`.
    ExprPtr from() {
        const bool parent_call = following().kind == TokenKind::Identifier && following(2).kind == TokenKind::Dot;
        if (following().kind == TokenKind::Identifier && following(2).kind == TokenKind::LeftParen &&
            !following(1).newline_before) {
            fail("A parent's constructor is called by name", "use from " + following().text + ".birth()");
        }
        const Token& word = advance();
        if (!parent_call) return std::make_unique<NameExpr>(word.text, word.span);
        auto call = std::make_unique<ParentCallExpr>(ExprKind::ParentCall, word.span);
        const Token& parent = advance();
        call->parent = parent.text;
        call->parent_span = parent.span;
        advance();  // .
        const Token& method = any_word("after '.'");
        call->method = method.text;
        call->method_span = method.span;
        call->arguments = arguments();
        call->span = call->span.to(last_);
        return with_arguments(std::move(call), nullptr);
    }

    ExprPtr new_expression() {
        const Span start = advance().span;
        const Token& id = name("after 'new'");
        auto node = std::make_unique<NewExpr>(id.text, start, id.span);
        if (accept(TokenKind::Less)) {
            for (auto& argument : name_list("as a type argument"))
                node->type_arguments.push_back(std::move(argument.name));
            expect(TokenKind::Greater, "after the type arguments");
        }
        if (!at(TokenKind::LeftParen)) fail_expected("'('", "after 'new " + node->name + "'");
        node->arguments = arguments();
        node->span = start.to(last_);
        return with_arguments(std::move(node), nullptr);
    }

    ExprPtr lambda() {
        const Span start = advance().span;
        return std::make_unique<LambdaExpr>(function_rest("", start), start);
    }

    ExprPtr array() {
        auto node = std::make_unique<ArrayExpr>(current().span);
        const Span start = current().span;
        const Bracket open(*this, start);
        Newlines ignored(*this, true);
        advance();
        while (!at(TokenKind::RightBracket)) {
            node->items.push_back(expression());
            raise(*node, node->items.back().get());
            if (!at(TokenKind::RightBracket)) expect(TokenKind::Comma, "between the elements");
        }
        advance();
        node->span = start.to(last_);
        return node;
    }

    ExprPtr object() {
        auto node = std::make_unique<ObjectExpr>(current().span);
        const Span start = current().span;
        Newlines ignored(*this, true);
        advance();
        while (!at(TokenKind::RightBrace)) {
            auto& pair = node->pairs.emplace_back();
            pair.key_span = current().span;
            if (at(TokenKind::String)) {
                pair.key = advance().text;
            } else if (at(TokenKind::Integer)) {
                pair.key = std::to_string(advance().integer);
            } else {
                pair.key = any_word("or a string as a key").text;
            }
            if (!accept(TokenKind::FatArrow)) expect(TokenKind::Colon, "after the key");
            pair.value = expression();
            raise(*node, node->pairs.back().value.get());
            if (!at(TokenKind::RightBrace)) expect(TokenKind::Comma, "between the entries");
        }
        advance();
        node->span = start.to(last_);
        return node;
    }

    ExprPtr parenthesized() {
        const Bracket open(*this, current().span);
        Newlines ignored(*this, true);
        advance();
        auto inner = expression();
        expect(TokenKind::RightParen, "to close the '('");
        return inner;
    }

    const Source& source_;
    std::vector<Token> tokens_;
    std::size_t index_ = 0;
    bool newlines_ignored_ = false;
    int depth_ = 0;
    Span last_;  // of the token taken last
    std::vector<Span> open_braces_;
    std::vector<Span> open_brackets_;  // '(' and '['
    std::string_view foreign_help_;    // for a statement that begins with a word of another language
    std::uint32_t foreign_line_ = 0;   // and its line; 0: none so far
    std::uint32_t misindented_ = 0;    // the line of the first '{' whose '}' is indented differently; 0: none
};

}  // namespace

std::expected<Program, Diagnostic> parse(std::shared_ptr<const Source> source) {
    auto tokens = tokenize(*source);
    if (!tokens) return std::unexpected(std::move(tokens.error()));
    try {
        auto main = Parser(*source, std::move(*tokens)).program();
        return Program{std::move(source), std::move(main)};
    } catch (SyntaxError& error) {
        return std::unexpected(std::move(error.diagnostic));
    }
}

}  // namespace nyash
