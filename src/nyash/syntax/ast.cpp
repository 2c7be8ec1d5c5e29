#include "nyash/syntax/ast.h"

#include "nyash/syntax/variable.h"

namespace nyash {

FunctionNode::FunctionNode() = default;
FunctionNode::~FunctionNode() = default;

LambdaExpr::LambdaExpr(std::unique_ptr<FunctionNode> f, Span s) : Expr(ExprKind::Lambda, s), function(std::move(f)) {}
LambdaExpr::~LambdaExpr() = default;

std::string_view spelling(BinaryOp op) {
    switch (op) {
        case BinaryOp::Add:
            return "+";
        case BinaryOp::Subtract:
            return "-";
        case BinaryOp::Multiply:
            return "*";
        case BinaryOp::Divide:
            return "/";
        case BinaryOp::Modulo:
            return "%";
        case BinaryOp::Equal:
            return "==";
        case BinaryOp::NotEqual:
            return "!=";
        case BinaryOp::Less:
            return "<";
        case BinaryOp::LessEqual:
            return "<=";
        case BinaryOp::Greater:
            return ">";
        case BinaryOp::GreaterEqual:
            return ">=";
        case BinaryOp::Channel:
            return ">>";
    }
    return "?";
}

}  // namespace nyash
