// CaughtError: an error while its catch or finally clause runs. It sits in a register that no script can
// name, and keeps the calls that led to the error, for the case that it is raised again.
#pragma once

#include "nyash/runtime/object.h"
#include "nyash/runtime/script_error.h"

namespace nyash {

class CaughtError final : public Object {
public:
    CaughtError(const BoxType& type, ScriptError e) : Object(type), error(std::move(e)) {}
    ScriptError error;
};

}  // namespace nyash
