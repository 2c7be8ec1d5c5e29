// What an operator can ask a hub by HTTP: /healthz, /metrics (Prometheus text), /connections and /names (JSON).
#pragma once

#include "net/http.h"

#include <string>

namespace nyamesh::hub {

class HubCore;

// A whole HTTP response.
std::string operator_page(const HubCore& core, const net::HttpRequest& request);

// The text format of Prometheus, version 0.0.4.
std::string metrics_text(const HubCore& core);

}  // namespace nyamesh::hub
