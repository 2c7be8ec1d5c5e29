// Small files, read and written whole: keys, and the hub's own state.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

namespace nyamesh::hub {

// At most 64 KiB. The error names the file and the system's reason.
std::expected<std::string, std::string> read_file(const std::string& path);
// Readable by its owner only; whoever reads it sees the old text or the new one, never half of it.
std::expected<void, std::string> write_private_file(const std::string& path, const std::string& text);

// What a hub keeps over restarts, so that its clients know it again.
struct Identity {
    std::string id;           // 16 hex digits
    std::uint64_t epoch = 1;  // which start this is
    std::string key;          // signs leases
};
// Reads the file `hub-identity` in `directory` (made if it is not there), counts the epoch up and writes it back; an
// empty `directory` gives a fresh one, kept nowhere.
std::expected<Identity, std::string> load_identity(const std::string& directory);

}  // namespace nyamesh::hub
