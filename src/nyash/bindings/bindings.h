// The boxes that tie Nyash to NyaMesh. Only this folder includes both, and of NyaMesh only its public
// headers.
#pragma once

namespace nyash {

class Runtime;

void add_intent_box(Runtime& runtime);
void add_p2p_box(Runtime& runtime);

}  // namespace nyash
