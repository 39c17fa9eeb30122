// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/text/tokenizer_spec.hpp>
#include <graft/text/unicode_class.hpp>
#include <graft/text/utf8.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace graft {

/// A stretch of bytes, half open.
struct ByteRange {
  Index begin = 0;
  Index end = 0;
};

namespace detail {

/// Finds added tokens in text: leftmost first, of those the longest, without overlap. A byte trie.
class AddedTokenMatcher {
 public:
  /// `pattern` is what to look for; it differs from `token->content` for normalized tokens. `token` must outlive this.
  void add(std::string_view pattern, AddedToken const* token) {
    if (pattern.empty()) return;
    std::uint32_t node = 0;
    for (char const c : pattern) {
      auto const byte = static_cast<unsigned char>(c);
      auto const [edge, is_new] = edges_.try_emplace(node << 8 | byte, static_cast<std::uint32_t>(tokens_.size()));
      if (is_new) tokens_.push_back(nullptr);
      require(tokens_.size() < max_nodes, "tokenizer", "added tokens must hold fewer than ", max_nodes, " bytes in all");
      node = edge->second;
    }
    tokens_[node] = token;
    starts_[static_cast<unsigned char>(pattern.front())] = true;
  }

  /// Calls `piece(token, begin, end)` for all of `text` from left to right, with a null token for what lies between
  /// matches. `allowed(token, begin, end)` may refuse a match, which then counts as text: as in Hugging Face's
  /// tokenizers, nothing else is looked for inside it.
  template <class Allowed, class Piece>
  void split(std::string_view text, Allowed const& allowed, Piece const& piece) const {
    auto const size = static_cast<Index>(text.size());
    Index done = 0;
    Index spaces_end = 0;  // of the run of white space looked at last, so that no run is walked twice
    for (Index at = 0; at < size;) {
      auto const [token, match_end] = longest(text, at);
      if (token == nullptr) {
        ++at;
        continue;
      }
      Index begin = at;
      Index end = match_end;
      at = match_end;
      if (!allowed(*token, begin, end) || (token->single_word && touches_word(text, begin, end))) continue;
      if (token->lstrip) begin = spaces_before(text, begin, done);
      if (token->rstrip) end = spaces_end = end < spaces_end ? spaces_end : spaces_after(text, end);
      if (done < begin) piece(static_cast<AddedToken const*>(nullptr), done, begin);
      piece(token, begin, end);
      done = end;
    }
    if (done < size) piece(static_cast<AddedToken const*>(nullptr), done, size);
  }

 private:
  [[nodiscard]] std::pair<AddedToken const*, Index> longest(std::string_view text, Index at) const {
    std::pair<AddedToken const*, Index> best{nullptr, at};
    if (!starts_[byte_at(text, at)]) return best;
    std::uint32_t node = 0;
    while (at < static_cast<Index>(text.size())) {
      auto const edge = edges_.find(node << 8 | byte_at(text, at));
      if (edge == edges_.end()) break;
      node = edge->second;
      ++at;
      if (tokens_[node] != nullptr) best = {tokens_[node], at};
    }
    return best;
  }

  [[nodiscard]] static bool is(std::string_view text, Index at, std::uint8_t bits) {
    return (unicode_class(utf8_step(text, at).value) & bits) != 0;
  }

  [[nodiscard]] static bool touches_word(std::string_view text, Index begin, Index end) {
    return (begin > 0 && is(text, previous_code_point(text, begin), char_class::word)) ||
           (end < static_cast<Index>(text.size()) && is(text, end, char_class::word));
  }

  [[nodiscard]] static Index spaces_before(std::string_view text, Index at, Index done) {
    if (at < done) return done;
    while (at > done) {
      Index const previous = previous_code_point(text, at);
      if (!is(text, previous, char_class::space)) break;
      at = previous;
    }
    return at;
  }

  [[nodiscard]] static Index spaces_after(std::string_view text, Index at) {
    while (at < static_cast<Index>(text.size()) && is(text, at, char_class::space)) at += utf8_step(text, at).length;
    return at;
  }

  static constexpr std::size_t max_nodes = 1u << 24;  // an edge's key has 24 bits for its node

  std::unordered_map<std::uint32_t, std::uint32_t> edges_;  ///< node << 8 | byte -> node
  std::vector<AddedToken const*> tokens_{nullptr};          ///< the token that ends in a node
  std::array<bool, 256> starts_{};
};

}  // namespace detail
}  // namespace graft
