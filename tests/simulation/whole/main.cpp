// The whole stack, hub included, on a simulated network (world.h).
#include "simulation/seeds.h"
#include "simulation/whole/world.h"

int main(int count, char** arguments) {
    using namespace nyamesh::simulation;
    return run_seeds(count, arguments,
                     [](std::uint64_t seed, bool prints_trace) { return WholeWorld(seed, prints_trace).run(); });
}
