// Which of the words there are was probably meant.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace tool {

// The one with the fewest edits between, if they are few for their length; else nothing.
inline std::string_view nearest(std::string_view word, std::span<const std::string_view> words) {
    std::string_view best;
    std::size_t fewest = word.size();
    for (const std::string_view candidate : words) {
        std::vector<std::size_t> row(candidate.size() + 1);
        for (std::size_t i = 0; i < row.size(); ++i) row[i] = i;
        for (std::size_t i = 0; i < word.size(); ++i) {
            std::size_t corner = row[0]++;
            for (std::size_t j = 0; j < candidate.size(); ++j) {
                const std::size_t replaced = corner + (word[i] == candidate[j] ? 0 : 1);
                corner = row[j + 1];
                row[j + 1] = std::min({replaced, corner + 1, row[j] + 1});
            }
        }
        const std::size_t limit = std::max<std::size_t>(1, std::max(word.size(), candidate.size()) / 3);
        if (row.back() < fewest && row.back() <= limit) {
            fewest = row.back();
            best = candidate;
        }
    }
    return best;
}

}  // namespace tool
