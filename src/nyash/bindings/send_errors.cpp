#include "nyash/bindings/send_errors.h"

#include "nyash/boxes/result_box.h"

namespace nyash {

ScriptError script_error_from(const nyamesh::SendError& error) {
    return {to_string(error.kind), error.message, error.hint};
}

Value err_from(Runtime& runtime, const nyamesh::SendError& error) {
    auto box = runtime.error(std::string(to_string(error.kind)), error.message);
    box->reason = to_string(error.reason);
    box->hint = error.hint;
    box->is_retryable = error.retryable;
    return make_err(runtime, Value(box));
}

}  // namespace nyash
