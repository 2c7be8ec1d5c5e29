#include "bus/bias.h"

#include "base/assert.h"

#if defined(__linux__)
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace nyamesh::bus::bias {

#if defined(__linux__)

bool is_available() noexcept {
    static const bool available = syscall(__NR_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0U, 0) == 0;
    return available;
}

void barrier_everywhere() noexcept {
    NYA_ASSERT(syscall(__NR_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0U, 0) == 0);
}

#else

bool is_available() noexcept {
    return false;
}
void barrier_everywhere() noexcept {
    NYA_ASSERT(!"nodes are never biased here");
}

#endif

}  // namespace nyamesh::bus::bias
