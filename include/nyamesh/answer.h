// Answer: what a request ends with; and who hears of it.
#pragma once

#include <nya/json.h>
#include <nyamesh/send_error.h>

#include <expected>
#include <functional>

namespace nyamesh {

// What a request is answered with: a value, or why there is none.
using Answer = std::expected<nya::Json, SendError>;

// What hears the answer to a request, or how a send has ended. May be move-only; must not throw.
using AnswerCallback = std::move_only_function<void(Answer)>;
using SentCallback = std::move_only_function<void(std::expected<void, SendError>)>;

}  // namespace nyamesh
