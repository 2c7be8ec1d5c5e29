// did_you_mean: the candidate nearest to a mistyped name.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace nyamesh {

// Keeps the best of the candidates offered to it. Near means: at most a third of the letters would
// have to be inserted, removed, replaced or swapped with their neighbour.
class DidYouMean {
public:
    explicit DidYouMean(std::string_view wanted) : wanted_(wanted), best_distance_(limit() + 1) {}

    void offer(std::string_view candidate) {
        const std::size_t longer = std::max(candidate.size(), wanted_.size());
        const std::size_t shorter = std::min(candidate.size(), wanted_.size());
        if (longer - shorter > limit() || candidate == wanted_) return;
        const std::size_t distance = distance_to(candidate);
        if (distance < best_distance_ || (distance == best_distance_ && candidate < best_)) {
            best_distance_ = distance;
            best_ = candidate;
        }
    }
    // Empty if nothing was near.
    const std::string& best() const noexcept { return best_; }

private:
    std::size_t limit() const noexcept { return std::max<std::size_t>(1, wanted_.size() / 3); }

    // Optimal string alignment distance, three rows at a time.
    std::size_t distance_to(std::string_view other) const {
        std::vector<std::size_t> before_last(other.size() + 1), last(other.size() + 1), row(other.size() + 1);
        for (std::size_t j = 0; j <= other.size(); ++j) last[j] = j;
        for (std::size_t i = 1; i <= wanted_.size(); ++i) {
            row[0] = i;
            for (std::size_t j = 1; j <= other.size(); ++j) {
                const bool same = wanted_[i - 1] == other[j - 1];
                row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1)});
                if (i > 1 && j > 1 && wanted_[i - 1] == other[j - 2] && wanted_[i - 2] == other[j - 1]) {
                    row[j] = std::min(row[j], before_last[j - 2] + 1);
                }
            }
            before_last.swap(last);
            last.swap(row);
        }
        return last[other.size()];
    }

    std::string_view wanted_;
    std::size_t best_distance_;
    std::string best_;
};

}  // namespace nyamesh
