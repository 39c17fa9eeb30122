// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/text/tokenizer_spec.hpp>
#include <graft/text/utf8.hpp>

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace graft {

/// The rank table that transformers' converters make out of SentencePiece scores: every way to put a token together
/// from two others, highest score first, then longest left part, then longest right part (in characters).
/// The result tokenizes by rank. It differs from tokenizing by score only where one token can be made in two ways at
/// overlapping places (by score the leftmost wins, by rank the better split).
[[nodiscard]] inline TokenizerSpec merges_from_scores(TokenizerSpec spec) {
  require(merges_by_score(spec), "tokenizer", "merges can be made only for a tokenizer with scores and no merges");
  validate(spec);
  struct Candidate {
    float score;
    Index left_length, right_length;
    std::int32_t left_id, right_id;
  };
  std::vector<bool> special(spec.tokens.size(), false);
  for (AddedToken const& added : spec.added_tokens)
    if (added.special && added.id < static_cast<std::int32_t>(special.size()))
      special[static_cast<std::size_t>(added.id)] = true;
  std::unordered_map<std::string_view, std::int32_t> ids;
  for (std::size_t id = 0; id < spec.tokens.size(); ++id)
    if (!spec.tokens[id].empty() && !special[id])
      ids.insert_or_assign(spec.tokens[id], static_cast<std::int32_t>(id));

  std::vector<Candidate> candidates;
  for (std::size_t id = 0; id < spec.tokens.size(); ++id) {
    std::string_view const token = spec.tokens[id];
    if (special[id] || find_invalid_utf8(token)) continue;
    auto const size = static_cast<Index>(token.size());
    Index length = 0;
    for (Index at = 0; at < size; at += detail::utf8_step(token, at).length) ++length;
    std::vector<Candidate> splits;
    for (Index at = 0, left = 0; at < size; at += detail::utf8_step(token, at).length, ++left) {
      if (at == 0) continue;
      auto const first = ids.find(detail::slice(token, 0, at));
      auto const second = ids.find(detail::slice(token, at, size));
      if (first != ids.end() && second != ids.end())
        splits.push_back({spec.scores[id], left, length - left, first->second, second->second});
    }
    std::ranges::sort(splits, [](Candidate const& a, Candidate const& b) {
      return std::pair(a.left_id, a.right_id) < std::pair(b.left_id, b.right_id);
    });
    candidates.insert(candidates.end(), splits.begin(), splits.end());
  }
  std::ranges::stable_sort(candidates, [](Candidate const& a, Candidate const& b) {
    if (a.score != b.score) return a.score > b.score;
    return std::pair(a.left_length, a.right_length) > std::pair(b.left_length, b.right_length);
  });
  for (Candidate const& candidate : candidates) spec.merges.push_back({candidate.left_id, candidate.right_id});
  spec.scores.clear();
  return spec;
}

}  // namespace graft
