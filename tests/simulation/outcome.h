// Outcome: what became of one seed's run.
#pragma once

#include "session/endpoint.h"
#include "simulation/ledger.h"

#include <cstdint>
#include <string>

namespace nyamesh::simulation {

struct Outcome {
    std::string violation;  // empty: all promises were kept
    std::uint64_t trace_hash = 0;
    std::uint64_t frames = 0;
    std::uint64_t faults = 0;
    Ledger::Counts counts;
    session::EndpointStatistics statistics;  // of all endpoints together
};

}  // namespace nyamesh::simulation
