// nyamesh hub: a Hub for as long as nobody asks it to stop.
//
// SIGTERM and SIGINT: clients are told to come again, and spread over the drain window; a second one ends that. SIGHUP:
// certificates and keys are read again.
#include "commands.h"
#include "hub_config.h"
#include "output.h"
#include "signals.h"

#include <csignal>
#include <cstdio>
#include <ctime>
#include <thread>

namespace tool {

namespace {

std::string now_text() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    tm parts{};
    ::gmtime_r(&now.tv_sec, &parts);
    char text[40];
    const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    std::snprintf(text + size, sizeof text - size, ".%03ldZ", now.tv_nsec / 1'000'000);
    return text;
}

const char* level_text(nyamesh::HubLogLine::Level level) {
    using Level = nyamesh::HubLogLine::Level;
    switch (level) {
        case Level::Debug:
            return "debug";
        case Level::Info:
            return "info";
        case Level::Warning:
            return "warning";
        case Level::Error:
            return "error";
    }
    return "?";
}

// The log goes to stderr, so that stdout has the address alone. On the hub's thread.
std::function<void(const nyamesh::HubLogLine&)> log_sink(const std::string& kind) {
    if (kind == "off") return {};
    if (kind == "json") {
        return [](const nyamesh::HubLogLine& line) {
            std::string text =
                nya::Json{{"time", now_text()}, {"level", level_text(line.level)}, {"event", line.event}}.dump();
            if (!line.members.empty()) text.replace(text.size() - 1, 1, "," + std::string(line.members) + "}");
            std::fprintf(stderr, "%s\n", text.c_str());
        };
    }
    return [](const nyamesh::HubLogLine& line) {
        if (line.level == nyamesh::HubLogLine::Level::Debug) return;
        const bool is_news = line.level == nyamesh::HubLogLine::Level::Info;
        std::fprintf(stderr, "%s %s%s\n", now_text().c_str(),
                     is_news ? "" : (std::string(level_text(line.level)) + ": ").c_str(), printable(line.text).c_str());
    };
}

int drain(nyamesh::Hub& hub, std::chrono::milliseconds window) {
    if (window.count() > 0 && hub.statistics().connections > 0) {
        show_progress("telling the clients to come again; once more to stop at once");
        std::jthread waits([&] {
            hub.drain(window);
            ask_to_stop();
        });
        wait_for_signal();
        hub.stop();
        show_progress("");
    }
    return kOk;
}

}  // namespace

int run_hub(HubCommand& command) {
    if (!command.config_file.empty()) {
        if (auto read = read_hub_config(command.config_file, command); !read) {
            complain(read.error());
            return kUsage;
        }
    }
    for (const auto& flag : command.flags) flag(command);
    if (command.options.tls &&
        (command.options.tls->certificate_file.empty() || command.options.tls->key_file.empty())) {
        complain("--tls-cert and --tls-key go together");
        return kUsage;
    }
    command.options.log = log_sink(command.log);
    auto hub = nyamesh::Hub::start(command.options);
    if (!hub) {
        complain(hub.error());
        return kFailed;
    }
    put_line((*hub)->url());
    if ((*hub)->admin_port() != 0) complain("operators' pages: port " + std::to_string((*hub)->admin_port()));
    for (;;) {
        if (wait_for_signal() != SIGHUP) return drain(**hub, command.drain);
        const auto reloaded = (*hub)->reload();
        complain(reloaded ? "certificates and keys read again"
                          : "still with the old certificates and keys: " + reloaded.error());
    }
}

}  // namespace tool
