// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>

#include <array>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace graft::detail {

/// A token and where it begins in its word, in bytes.
struct WordToken {
  std::int32_t id = 0;
  Index begin = 0;
};

/// Remembers the tokens of short words. Bounded: a full shard takes nothing more. Safe to use from many threads.
class WordCache {
 public:
  static constexpr std::size_t max_word = 64;        ///< bytes; longer words hardly come back
  static constexpr std::size_t words_a_shard = 4096;

  /// Appends the tokens of `word` to `out` if they are known.
  [[nodiscard]] bool find(std::string_view word, std::vector<WordToken>& out) {
    if (word.size() > max_word) return false;
    Shard& shard = shard_of(word);
    std::scoped_lock const lock(shard.mutex);
    auto const found = shard.words.find(word);
    if (found == shard.words.end()) return false;
    out.insert(out.end(), found->second.begin(), found->second.end());
    return true;
  }

  void insert(std::string_view word, std::vector<WordToken> const& tokens) {
    if (word.size() > max_word) return;
    Shard& shard = shard_of(word);
    std::scoped_lock const lock(shard.mutex);
    if (shard.words.size() < words_a_shard) shard.words.try_emplace(std::string(word), tokens);
  }

 private:
  struct Hash {
    using is_transparent = void;
    [[nodiscard]] std::size_t operator()(std::string_view word) const { return std::hash<std::string_view>{}(word); }
  };
  struct Shard {
    std::mutex mutex;
    std::unordered_map<std::string, std::vector<WordToken>, Hash, std::equal_to<>> words;
  };

  [[nodiscard]] Shard& shard_of(std::string_view word) { return shards_[(Hash{}(word) >> 7) % shards_.size()]; }

  std::array<Shard, 8> shards_;
};

}  // namespace graft::detail
