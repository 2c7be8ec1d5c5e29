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

// Control characters would move the terminal's cursor; show them as a space. Bytes that are not UTF-8 show as U+FFFD.
std::string printable(std::string_view line) {
    std::string out;
    while (!line.empty()) {
        const auto [c, bytes] = unicode::decode(line);
        if (bytes == 0) {
            out += "\uFFFD";
        } else if (c < 0x20 && c != '\t') {
            out += ' ';
        } else {
            out += line.substr(0, bytes);
        }
        line.remove_prefix(std::max<std::size_t>(bytes, 1));
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

std::string coloured(std::string_view rendered) {
    constexpr std::string_view kBold = "\x1b[1m", kRed = "\x1b[1;31m", kBlue = "\x1b[34m", kGreen = "\x1b[32m",
                               kPlain = "\x1b[0m";
    std::string out;
    // The first `size` bytes of the line in one style, the rest in another.
    const auto put = [&](std::string_view line, std::size_t size, std::string_view style, std::string_view rest = {}) {
        out.append(style).append(line.substr(0, size)).append(kPlain);
        if (size == line.size()) return;
        if (rest.empty()) {
            out.append(line.substr(size));
        } else {
            out.append(rest).append(line.substr(size)).append(kPlain);
        }
    };
    while (!rendered.empty()) {
        const std::size_t end = std::min(rendered.find('\n'), rendered.size());
        const std::string_view line = rendered.substr(0, end);
        const std::size_t text = line.find_first_not_of(" 0123456789");
        const std::string_view mark = text == std::string_view::npos ? std::string_view{} : line.substr(text);
        if (line.starts_with("error:")) {
            put(line, 6, kRed, kBold);
        } else if (line.starts_with("help:")) {
            put(line, 5, kGreen);
        } else if (line.starts_with(' ') && mark.starts_with("-->")) {
            put(line, text + 3, kBlue);
        } else if (line.starts_with(' ') && (mark.starts_with("|") || mark.starts_with("= "))) {
            const bool is_caret =
                mark.find('^') != std::string_view::npos && mark.find_first_not_of("| \t^") == std::string_view::npos;
            put(line, text + 1, kBlue, is_caret ? kRed : std::string_view{});
        } else {
            out += line;
        }
        if (end < rendered.size()) out += '\n';
        rendered.remove_prefix(std::min(end + 1, rendered.size()));
    }
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
