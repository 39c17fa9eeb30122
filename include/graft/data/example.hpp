// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace graft {

/// Token positions [begin, end).
struct TokenSpan {
  Index begin = 0;
  Index end = 0;
  friend bool operator==(TokenSpan const&, TokenSpan const&) = default;
};

/// Which end of a record that is too long is kept, as TRL's `truncation_mode`.
enum class Truncation { keep_start, keep_end };

/// One tokenised record. `supervised` has the positions of the tokens that are learnt, as ascending spans that neither
/// touch nor overlap. A token at position 0 has nothing before it that could predict it, so it never counts.
struct Example {
  std::vector<std::int32_t> ids;
  std::vector<TokenSpan> supervised;
  Index record = 0;  ///< which record of the file it is, from 0 (blank lines are no records)
  Index line = 0;    ///< where it stands in the file, from 1

  [[nodiscard]] Index tokens() const { return static_cast<Index>(ids.size()); }
  /// The number of predictions that are learnt from it.
  [[nodiscard]] Index supervised_tokens() const {
    Index total = 0;
    for (TokenSpan const& span : supervised) total += std::max<Index>(span.end - std::max<Index>(span.begin, 1), 0);
    return total;
  }
  /// Cuts it to `max_length` tokens. Says whether that took something away.
  bool truncate(Index max_length, Truncation mode = Truncation::keep_start) {
    Index const excess = tokens() - max_length;
    if (excess <= 0) return false;
    Index const from = mode == Truncation::keep_end ? excess : 0;
    ids.erase(ids.begin() + from + max_length, ids.end());
    ids.erase(ids.begin(), ids.begin() + from);
    for (TokenSpan& span : supervised) {
      span.begin = std::clamp<Index>(span.begin - from, 0, max_length);
      span.end = std::clamp<Index>(span.end - from, 0, max_length);
    }
    std::erase_if(supervised, [](TokenSpan const& span) { return span.begin == span.end; });
    return true;
  }
};

/// Adds [begin, end) behind `spans`, as one span with the last one if they touch. Empty spans vanish.
inline void append_span(std::vector<TokenSpan>& spans, Index begin, Index end) {
  if (begin >= end) return;
  if (!spans.empty() && spans.back().end == begin)
    spans.back().end = end;
  else
    spans.push_back({begin, end});
}

}  // namespace graft
