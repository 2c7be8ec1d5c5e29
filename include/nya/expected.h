// NYA_TRY: our `?` operator over std::expected.
//
//     auto envelope = NYA_TRY(wire::decode(frame));   // returns the error to our caller
//
// g++ 12's std::expected has no and_then/transform, so failures are passed on with this macro. It is
// a statement expression (a GCC and clang extension): use it inside functions that return a
// std::expected with the same error type. Do not `co_await` inside it: g++ 12 crashes on that.
#pragma once

#include <expected>
#include <utility>

#define NYA_TRY(expression)                                                                         \
    __extension__({                                                                                 \
        auto&& nya_try_result = (expression);                                                       \
        if (!nya_try_result) [[unlikely]]                                                           \
            return std::unexpected(std::forward<decltype(nya_try_result)>(nya_try_result).error()); \
        *std::forward<decltype(nya_try_result)>(nya_try_result);                                    \
    })
