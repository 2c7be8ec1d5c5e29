// Holds docs/boxes.md to the code: everything a built-in box has must be on the page, and nothing else.
//
// In the page a heading "### NAME" opens a box ("### Every value" is what all of them answer, "### Globals"
// the functions that belong to none), and a line of it begins with what it is about:
//
//     - `new StringBox(value?)` …
//     - `get(index)`, `charAt(index)` …          a method and its aliases, with the names of its arguments
//     - `.value` …                               a property
//
// HTML comments are skipped.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "nyash/bindings/bindings.h"
#include "nyash/boxes/boxes.h"
#include "nyash/runtime/runtime.h"

namespace {

using Sections = std::map<std::string, std::set<std::string>>;  // box -> what it has

Sections sections_of_code() {
    nyash::Runtime runtime{nyash::Runtime::Options{}};
    Sections sections;
    nyash::add_boxes(runtime);
    nyash::add_intent_box(runtime);
    nyash::add_p2p_box(runtime);
    const auto list = [&](const std::string& section, const nyash::BoxType& type) {
        auto& entries = sections[section];
        if (type.constructor()) entries.insert("new " + type.constructor()->usage());
        for (const auto* method : type.native_methods()) entries.insert(method->usage());
        for (const auto* property : type.native_properties()) entries.insert("." + property->name);
    };
    list("Every value", runtime.types().any());
    for (const auto* type : runtime.types().all()) list(type->name(), *type);
    for (const auto name : runtime.globals().defined_names()) {
        const nyash::Value global = runtime.globals().find(runtime.names().intern(name));
        if (const auto* function = global.as<nyash::NativeFunctionBox>())
            sections["Globals"].insert(function->function.usage());
    }
    return sections;
}

// The code spans a line "- `a`, `b` …" begins with.
std::set<std::string> leading_spans(std::string_view line) {
    std::set<std::string> spans;
    for (line.remove_prefix(2); line.starts_with('`'); line.remove_prefix(line.starts_with(", ") ? 2 : 0)) {
        line.remove_prefix(1);
        const std::size_t end = std::min(line.find('`'), line.size());
        spans.emplace(line.substr(0, end));
        line.remove_prefix(std::min(end + 1, line.size()));
    }
    return spans;
}

Sections sections_of_page(std::istream& page) {
    Sections sections;
    std::string section;
    bool in_comment = false;
    for (std::string line; std::getline(page, line);) {
        if (line.starts_with("<!--")) in_comment = true;
        const bool skipped = in_comment;
        if (line.find("-->") != std::string::npos) in_comment = false;
        if (skipped) continue;
        if (line.starts_with("## ")) section.clear();
        if (line.starts_with("### ")) {
            section = line.substr(4);
            sections[section];
        }
        if (line.starts_with("- `") && !section.empty()) sections[section].merge(leading_spans(line));
    }
    return sections;
}

// Says what `have` has and `other` lacks.
int report_missing(const Sections& have, const Sections& other, std::string_view what) {
    int missing = 0;
    for (const auto& [section, entries] : have) {
        const auto found = other.find(section);
        if (found == other.end()) {
            std::cout << section << ": the whole box " << what << "\n";
            ++missing;
            continue;
        }
        for (const auto& entry : entries) {
            if (found->second.contains(entry)) continue;
            std::cout << section << ": " << entry << " " << what << "\n";
            ++missing;
        }
    }
    return missing;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: check_boxes_page docs/boxes.md\n";
        return 2;
    }
    std::ifstream file(argv[1]);
    if (!file) {
        std::cerr << "check_boxes_page: cannot read " << argv[1] << "\n";
        return 2;
    }
    const Sections page = sections_of_page(file);
    const Sections code = sections_of_code();
    const int missing = report_missing(code, page, "is not on the page") + report_missing(page, code, "does not exist");
    if (missing > 0) return 1;
    std::cout << "check_boxes_page: " << code.size() << " boxes are as the page says\n";
    return 0;
}
