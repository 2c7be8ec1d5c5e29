// The hub's configuration file (TOML): every option of HubOptions. What it does not know is an error, with the place.
#pragma once

#include "commands.h"

#include <expected>
#include <string>

namespace tool {

// "hub.toml:7: unknown key 'adress' in [limits]; did you mean …?"
std::expected<void, std::string> read_hub_config(const std::string& file, HubCommand& into);

}  // namespace tool
