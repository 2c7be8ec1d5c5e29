// What the commands print: plain lines or JSON lines on stdout, each whole and at once; complaints on stderr.
#pragma once

#include <nya/json.h>
#include <nyamesh/send_error.h>

#include <string>
#include <string_view>

namespace tool {

// One line on stdout. False: nobody reads any more.
bool put_line(std::string_view line);
bool put_json(const nya::Json& value);

// "nyamesh: what happened", on stderr.
void complain(std::string_view what);
// The same with the hint; as a JSON line if `is_json`. Returns kFailed.
int fail(const nyamesh::SendError& error, bool is_json);

// A line on stderr that replaces the one before, if that is a terminal; empty: away with it.
void show_progress(std::string_view text);

// Text from elsewhere, made fit for a terminal: control characters are escaped.
std::string printable(std::string_view text);

}  // namespace tool
