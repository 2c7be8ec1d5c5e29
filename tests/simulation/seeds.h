// The command line of a simulation: which seeds, and what is told of them.
//
//   [--seeds N] [--first S]      seeds S to S+N-1; 10,000 from 1 unless given
//   --seed S [--trace]           one of them, with everything that happens in it
//   … --twice                    each seed twice: both must go through exactly the same
//   … --must-fail                of a build with a seeded bug: success is a violation that is found
//
// A violated promise ends the run with exit code 1 and the command that replays it. See docs/design/sessions.md.
#pragma once

#include "simulation/outcome.h"

#include <cstdint>
#include <functional>

namespace nyamesh::simulation {

using RunSeed = std::function<Outcome(std::uint64_t seed, bool prints_trace)>;
int run_seeds(int count, char** arguments, const RunSeed& run_seed);  // the exit code

}  // namespace nyamesh::simulation
