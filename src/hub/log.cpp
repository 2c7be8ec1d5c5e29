#include "hub/log.h"

namespace nyamesh::hub {

namespace {

// {"a":1} → "a":1
std::string members_text(const nya::Json& members) {
    const std::string text = members.dump();
    return text.size() < 2 ? std::string() : text.substr(1, text.size() - 2);
}

}  // namespace

void Log::write(HubLogLine::Level level, std::string_view event, const nya::Json& members, std::string_view text) {
    if (!sink_) return;
    lines_.refill(clock_->now());
    if (!lines_.has_left()) {
        ++left_out_;
        return;
    }
    lines_.spend(1);
    if (left_out_ > 0) {
        const std::string count = std::to_string(left_out_);
        left_out_ = 0;
        sink_({HubLogLine::Level::Warning, "left_out", count + " log lines were left out",
               members_text(nya::Json{{"lines", count}})});
    }
    const std::string fields = members_text(members);
    sink_({level, event, text, fields});
}

}  // namespace nyamesh::hub
