// The boxes that tie Nyash to NyaMesh. Only this folder includes both, and of NyaMesh only its public
// headers.
#pragma once

#include <cstddef>
#include <expected>

namespace nyash {

class NativeCall;
class Runtime;
class ScriptError;
class Value;

void add_intent_box(Runtime& runtime);
void add_p2p_box(Runtime& runtime);
void add_nya_mesh(Runtime& runtime);

// Argument i as a handler: a function, or the name of a global one.
std::expected<Value, ScriptError> handler_from(NativeCall& call, std::size_t i);

}  // namespace nyash
