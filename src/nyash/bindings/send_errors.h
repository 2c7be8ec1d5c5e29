// SendError as scripts see it.
#pragma once

#include <nyamesh/send_error.h>

#include "nyash/runtime/runtime.h"

namespace nyash {

// To raise: kind and message, the hint as help.
ScriptError script_error_from(const nyamesh::SendError& error);
// To return: ResultBox Err(ErrorBox) with kind, reason, message, hint, retryable.
Value err_from(Runtime& runtime, const nyamesh::SendError& error);

}  // namespace nyash
