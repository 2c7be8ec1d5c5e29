// Log: tells the operator what happens, at most so many lines a second; what was left out is counted and told.
//
//     log.write(Level::Info, "connected", {{"peer", address}, {"client", client}}, "connected");
#pragma once

#include <nya/clock.h>
#include <nya/json.h>
#include <nyamesh/hub.h>

#include "hub/budget.h"

#include <functional>
#include <memory>
#include <string_view>

namespace nyamesh::hub {

class Log {
public:
    static constexpr double kLinesPerSecond = 200;

    Log(std::function<void(const HubLogLine&)> sink, std::shared_ptr<nya::Clock> clock)
        : sink_(std::move(sink)), clock_(std::move(clock)), lines_(kLinesPerSecond, clock_->now()) {}

    bool is_on() const noexcept { return sink_ != nullptr; }
    void write(HubLogLine::Level level, std::string_view event, const nya::Json& members, std::string_view text);

private:
    std::function<void(const HubLogLine&)> sink_;
    std::shared_ptr<nya::Clock> clock_;
    Budget lines_;
    std::uint64_t left_out_ = 0;
};

}  // namespace nyamesh::hub
