// Cable: the way between a node and a hub, in our hands. A TCP proxy on a port of its own that can be cut and mended,
// and has a length (latency). What happens to the bytes is what happens on a real network:
//
//   reset    connections are reset, what was in them is gone; new ones are reset, too. A router was switched off
//   silent   nothing is closed and nothing arrives, as behind a NAT that has forgotten us
//
// One thread per cable. Memory is bounded: beyond kHeldBytes in one direction it does not read on, so TCP pushes back.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>

namespace tool {

class Cable {
public:
    enum class Break : std::uint8_t { Reset, Silent };
    static constexpr std::size_t kHeldBytes = 1024 * 1024;

    // From a port of the system's choice on 127.0.0.1 to host:port.
    static std::expected<std::unique_ptr<Cable>, std::string> lay(const std::string& host, const std::string& port,
                                                                  std::chrono::milliseconds latency);
    ~Cable();
    Cable(const Cable&) = delete;
    Cable& operator=(const Cable&) = delete;

    std::uint16_t port() const noexcept;
    std::string url() const;  // of the hub at the other end

    // Any thread; return when it is done.
    void cut(Break how);
    // New connections go through again. Those that were silent are reset, and what was in them is gone.
    void mend();

private:
    class Machine;
    explicit Cable(std::unique_ptr<Machine> machine);
    std::unique_ptr<Machine> machine_;
};

}  // namespace tool
