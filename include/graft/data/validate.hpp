// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/core/scalar.hpp>
#include <graft/loss/token_batch.hpp>

#include <cmath>
#include <cstddef>
#include <string>

namespace graft {

namespace detail {

/// " of sequence 2 (record 17)", for messages.
[[nodiscard]] inline std::string name_sequence(TokenBatch const& batch, std::size_t s) {
  std::string name = " of sequence " + std::to_string(s);
  if (s < batch.records.size()) name += " (record " + std::to_string(batch.records[s]) + ")";
  return name;
}

inline void validate_sequences(TokenBatch const& batch, Index vocab_size) {
  auto const& cu = batch.cu_seqlens;
  require(cu.size() >= 2, "batch", "must have at least one sequence: cu_seqlens has ", cu.size(), " entries");
  require(cu.front() == 0, "batch", "cu_seqlens must begin with 0: got ", cu.front());
  for (std::size_t s = 1; s < cu.size(); ++s)
    if (cu[s] <= cu[s - 1])
      fail("batch", "cu_seqlens must rise: got ", cu[s - 1], " then ", cu[s], " at the end",
           name_sequence(batch, s - 1));
  require(cu.back() == batch.tokens(), "batch", "cu_seqlens must end with the number of tokens, ", batch.tokens(),
          ": got ", cu.back());
  auto const& prefix = batch.prefix_tokens;
  require(prefix.empty() || prefix.size() + 1 == cu.size(), "batch", "prefix_tokens must be empty or one for each of ", cu.size() - 1,
          " sequences: got ", prefix.size());
  for (std::size_t s = 0, head = 0; s < prefix.size(); ++s) {
    if (prefix[s] == 0) head = s;
    else if (s == 0 || prefix[s] < 0 || prefix[s] > cu[head + 1] - cu[head])
      fail("batch", "prefix_tokens must be at most the tokens of the sequence that they belong to, ", s == 0 ? 0 : cu[head + 1] - cu[head],
           ": got ", prefix[s], name_sequence(batch, s));
  }
  require(batch.records.empty() || batch.records.size() + 1 == cu.size(), "batch",
          "records must be empty or name each of ", cu.size() - 1, " sequences: got ", batch.records.size());
  for (std::size_t s = 0; s + 1 < cu.size(); ++s)
    for (auto t = static_cast<std::size_t>(cu[s]); t < static_cast<std::size_t>(cu[s + 1]); ++t)
      if (batch.ids[t] < 0 || batch.ids[t] >= vocab_size)
        fail("batch", "ids must be in 0..", vocab_size - 1, ": got ", batch.ids[t], " at token ", t,
             name_sequence(batch, s), " (tokenizer and model do not belong together?)");
}

inline void validate_predictions(TokenBatch const& batch, Index vocab_size) {
  require(!batch.rows.empty(), "batch", "has no supervised token");
  require(batch.targets.size() == batch.rows.size(), "batch", "needs a target for each of ", batch.rows.size(),
          " rows: got ", batch.targets.size());
  require(batch.weights.empty() || batch.weights.size() == batch.rows.size(), "batch",
          "weights must be empty or one for each of ", batch.rows.size(), " rows: got ", batch.weights.size());
  std::size_t s = 0;
  for (std::size_t n = 0; n < batch.rows.size(); ++n) {
    auto const row = batch.rows[n];
    auto const place = [n](char const* name) { return std::string(name) + "[" + std::to_string(n) + "]"; };
    if (row < 0 || row >= batch.tokens())
      fail("batch", "rows must be in 0..", batch.tokens() - 1, ": got ", place("rows"), "=", row);
    if (n > 0 && row <= batch.rows[n - 1])
      fail("batch", "rows must rise: got ", batch.rows[n - 1], " then ", row, " at ", place("rows"));
    while (batch.cu_seqlens[s + 1] <= row) ++s;
    if (row + 1 == batch.cu_seqlens[s + 1])
      fail("batch", place("rows"), "=", row, " is the last token", name_sequence(batch, s),
           ": what follows belongs to another text");
    if (batch.targets[n] < 0 || batch.targets[n] >= vocab_size)
      fail("batch", "targets must be in 0..", vocab_size - 1, ": got ", place("targets"), "=", batch.targets[n],
           name_sequence(batch, s));
    if (!batch.weights.empty() && !std::isfinite(batch.weights[n]))
      fail("batch", "weights must be finite: got ", place("weights"), "=", batch.weights[n]);
  }
}

}  // namespace detail

/// Checks a batch that comes from outside before a model trusts it: ids and targets within a vocabulary of
/// `vocab_size`, cu_seqlens rising from 0 to T, rows rising, none at the last token of its sequence, at least one,
/// sizes that agree, prefixes that are there, weights and normalizer finite. Error: tag "batch", names the index, the sequence and the record.
inline void validate(TokenBatch const& batch, Index vocab_size) {
  require(vocab_size >= 1, "batch", "vocab_size must be positive: got ", vocab_size);
  detail::validate_sequences(batch, vocab_size);
  detail::validate_predictions(batch, vocab_size);
  require(std::isfinite(batch.normalizer) && batch.normalizer >= 0, "batch",
          "the normalizer must be finite and not negative: got ", batch.normalizer);
}

}  // namespace graft
