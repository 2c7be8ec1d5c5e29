#include "nyash/syntax/diagnostic.h"

#include <algorithm>
#include <numeric>

#include "nyash/syntax/unicode.h"

namespace nyash {
namespace {

// A line longer than this (a minified file, a huge string) is cut, so that an error stays readable.
constexpr std::size_t kMaxLineShown = 240;
constexpr std::size_t kLongestNameCompared = 64;

// The text that puts a caret under the first character after `before`: tabs stay tabs, wide
// characters count double.
std::string indent_like(std::string_view before) {
    std::string out;
    while (!before.empty()) {
        const auto [c, bytes] = unicode::decode(before);
        if (c == '\t') {
            out += '\t';
        } else {
            out.append(static_cast<std::size_t>(bytes == 0 ? 1 : unicode::width(c)), ' ');
        }
        before.remove_prefix(std::max<std::size_t>(bytes, 1));
    }
    return out;
}

std::size_t columns(std::string_view text) {
    return indent_like(text).size();
}

// Control characters would move the terminal's cursor; show them as a space.
std::string printable(std::string_view line) {
    std::string out(line);
    for (char& c : out) {
        if (static_cast<unsigned char>(c) < 0x20 && c != '\t') c = ' ';
    }
    return out;
}

// Levenshtein distance in which swapping two neighbours counts once.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> older(b.size() + 1), previous(b.size() + 1), row(b.size() + 1);
    std::iota(previous.begin(), previous.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
            row[j] = std::min({previous[j] + 1, row[j - 1] + 1, previous[j - 1] + change});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], older[j - 2] + 1);
        }
        older.swap(previous);
        previous.swap(row);
    }
    return previous[b.size()];
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return out;
}

}  // namespace

std::string render(const Source& source, const Diagnostic& diagnostic) {
    const Position at = source.position(diagnostic.span.offset);
    const std::string_view line = source.line_text(at.line);
    const std::string number = std::to_string(at.line);
    const std::string margin(number.size(), ' ');

    std::string out = "error: " + diagnostic.message + "\n";
    out += " " + margin + "--> " + source.name() + ":" + number + ":" + std::to_string(at.column) + "\n";

    const std::size_t start = std::min<std::size_t>(diagnostic.span.offset - source.line_start(at.line), line.size());
    if (start < kMaxLineShown) {
        const std::string_view shown = line.substr(0, unicode::offset_of(line, kMaxLineShown));
        const std::size_t length =
            std::min<std::size_t>(diagnostic.span.length, shown.size() - std::min(start, shown.size()));
        const std::string_view marked = shown.substr(std::min(start, shown.size()), length);
        out += " " + margin + " |\n";
        out += " " + number + " | " + printable(shown) + "\n";
        out += " " + margin + " | " + indent_like(shown.substr(0, start));
        out.append(std::max<std::size_t>(columns(marked), 1), '^');
        out += "\n";
    }
    for (const auto& note : diagnostic.notes) out += " " + margin + " = " + note + "\n";
    if (!diagnostic.help.empty()) out += "help: " + diagnostic.help + "\n";
    return out;
}

std::string_view closest(std::string_view name, std::span<const std::string_view> candidates) {
    if (name.empty() || name.size() > kLongestNameCompared) return {};
    const std::string wanted = lower(name);
    const std::size_t allowed = name.size() <= 2 ? 1 : std::max<std::size_t>(name.size() / 3, 1);
    std::string_view best;
    std::size_t best_distance = allowed + 1;
    for (std::string_view candidate : candidates) {
        if (candidate == name || candidate.empty() || candidate.size() > kLongestNameCompared) continue;
        const std::size_t distance = edit_distance(wanted, lower(candidate));
        // One letter says nothing about another letter: `a` is not a misspelt `b`.
        if (distance >= std::min(name.size(), candidate.size())) continue;
        if (distance < best_distance || (distance == best_distance && candidate < best)) {
            best = candidate;
            best_distance = distance;
        }
    }
    return best;
}

std::string did_you_mean(std::string_view name, std::span<const std::string_view> candidates) {
    const auto found = closest(name, candidates);
    return found.empty() ? std::string{} : "did you mean '" + std::string(found) + "'?";
}

}  // namespace nyash
