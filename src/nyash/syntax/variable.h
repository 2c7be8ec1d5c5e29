// Variable: a named place in a function, as the resolver sees it and the compiler lays it out.
#pragma once

#include <cstdint>
#include <string>

namespace nyash {

struct FunctionNode;

struct Variable {
    std::string name;
    FunctionNode* owner = nullptr;
    bool is_captured = false;               // a lambda uses it: it lives in a cell, not in a register
    bool is_created_by_assignment = false;  // until assigned it does not exist, and the name may mean a global
    bool is_hoisted = false;                // a lambda above its declaration uses it
    std::uint16_t place = 0;                // compiler: the register that holds it or its cell
};

}  // namespace nyash
