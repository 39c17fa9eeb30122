// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

namespace graft {

/// Sequences in the rows of a pass, one behind another: sequence s has the rows cu_seqlens[s] … cu_seqlens[s+1]-1. A sequence may
/// begin with tokens of an earlier one instead of repeating them: its first prefix_tokens[s] tokens are the first rows of the last
/// sequence before it that shares nothing, its head. A head with those that share with it, which follow it, is a family.
/// Both lists are in host memory and outlive this view.
struct PackedSequences {
  std::span<std::int32_t const> cu_seqlens;     ///< (S + 1)
  std::span<std::int32_t const> prefix_tokens;  ///< (S); empty: all 0

  PackedSequences() = default;
  PackedSequences(std::span<std::int32_t const> cu, std::span<std::int32_t const> prefix) : cu_seqlens(cu), prefix_tokens(prefix) {}
  /// Sequences that share nothing.
  template <class R>
    requires std::convertible_to<R const&, std::span<std::int32_t const>>
  PackedSequences(R const& cu) : cu_seqlens(cu) {}

  [[nodiscard]] Index size() const { return cu_seqlens.empty() ? 0 : static_cast<Index>(cu_seqlens.size()) - 1; }
  /// Rows of sequence s: [begin, end).
  [[nodiscard]] Index begin(Index s) const { return cu_seqlens[static_cast<std::size_t>(s)]; }
  [[nodiscard]] Index end(Index s) const { return cu_seqlens[static_cast<std::size_t>(s) + 1]; }
  /// Tokens of sequence s that lie in its head.
  [[nodiscard]] Index prefix(Index s) const { return prefix_tokens.empty() ? 0 : prefix_tokens[static_cast<std::size_t>(s)]; }
  [[nodiscard]] Index head(Index s) const {
    while (prefix(s) > 0) --s;
    return s;
  }
  /// The sequence behind the family of head s.
  [[nodiscard]] Index family_end(Index s) const {
    do ++s;
    while (s < size() && prefix(s) > 0);
    return s;
  }
};

}  // namespace graft
