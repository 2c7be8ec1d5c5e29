#include "bus/bias.h"

#include "base/assert.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace nyamesh::bus::bias {

bool is_available() noexcept {
    static const bool available = syscall(__NR_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0U, 0) == 0;
    return available;
}

void barrier_everywhere() noexcept {
    NYA_ASSERT(syscall(__NR_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0U, 0) == 0);
}

}  // namespace nyamesh::bus::bias
