// nyamesh nodes, nyamesh ping: who is there, and how far away.
#include "commands.h"
#include "node.h"
#include "output.h"
#include "signals.h"

#include <algorithm>
#include <cstdio>

namespace tool {

int run_nodes(const NodesCommand& command) {
    auto box = open_node(command.node, "nodes");
    if (!box) return fail(box.error(), command.node.is_json);
    const auto names = box->list_names(command.prefix, command.node.timeout);
    if (!names) return fail(names.error(), command.node.is_json);
    for (const std::string& name : *names) {
        if (name == box->node_id() && command.node.name.empty()) continue;  // nobody in particular
        const bool is_read = command.node.is_json ? put_json(nya::Json{{"name", name}}) : put_line(printable(name));
        if (!is_read) return kFailed;
    }
    return kOk;
}

int run_ping(const PingCommand& command) {
    auto box = open_node(command.node, "ping");
    if (!box) return fail(box.error(), command.node.is_json);
    std::vector<double> times;
    std::uint64_t sent = 0;
    while (sent < command.count) {
        const auto rtt = box->ping(command.to, command.node.timeout);
        ++sent;
        if (rtt) {
            times.push_back(static_cast<double>(rtt->count()) / 1000);
            char text[64];
            std::snprintf(text, sizeof text, ": %.2f ms", times.back());
            if (command.node.is_json) {
                put_json(nya::Json{{"name", command.to}, {"n", sent}, {"ms", times.back()}});
            } else if (!put_line(printable(command.to) + text)) {
                return kFailed;
            }
        } else {
            fail(rtt.error(), command.node.is_json);
            if (rtt.error().kind == nyamesh::SendError::Kind::NodeNotFound) return kFailed;
        }
        if (sent < command.count && wait_for_signal(command.interval) != 0) break;
    }
    if (!command.node.is_json && !times.empty()) {
        std::sort(times.begin(), times.end());
        char text[128];
        std::snprintf(text, sizeof text, "%zu of %llu answered, min/median/max %.2f/%.2f/%.2f ms", times.size(),
                      static_cast<unsigned long long>(sent), times.front(), times[times.size() / 2], times.back());
        put_line(text);
    }
    return times.size() == sent ? kOk : kFailed;
}

}  // namespace tool
