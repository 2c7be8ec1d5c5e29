// The sessions alone: production Endpoints in virtual time, over a relay that loses what it can (world.h).
#include "simulation/seeds.h"
#include "simulation/world.h"

int main(int count, char** arguments) {
    using namespace nyamesh::simulation;
    return run_seeds(count, arguments,
                     [](std::uint64_t seed, bool prints_trace) { return World(seed, prints_trace).run(); });
}
