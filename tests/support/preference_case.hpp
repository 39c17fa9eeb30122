// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/rng.hpp>
#include <graft/loss/preference/unpaired_batch.hpp>
#include <support/loss_check.hpp>

#include <utility>
#include <vector>

namespace graft::test {

namespace detail {

/// Puts an answer of `length` predictions behind a prompt of two tokens.
inline void append_random_answer(PreferenceBatch& batch, Index length, bool preferred, Index vocabulary, Rng& rng) {
  if (batch.cu_seqlens.empty()) batch.cu_seqlens.push_back(0);
  Index const start = batch.tokens() + 1;
  for (Index t = 0; t < 2 + length; ++t) batch.ids.push_back(static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(vocabulary))));
  batch.cu_seqlens.push_back(static_cast<std::int32_t>(batch.tokens()));
  for (Index n = 0; n < length; ++n) {
    batch.rows.push_back(static_cast<std::int32_t>(start + n));
    batch.targets.push_back(batch.ids[static_cast<std::size_t>(start + n + 1)]);
    batch.reference_logprobs.push_back(static_cast<float>(-3 * rng.uniform()));
  }
  close_sequence(batch, preferred, length);
}

}  // namespace detail

/// A batch of judged answers of given lengths (predictions), chosen and rejected in turn, each behind a prompt of two tokens.
[[nodiscard]] inline PreferenceBatch preference_batch(std::vector<std::pair<Index, Index>> const& lengths, Index vocabulary, Rng& rng) {
  PreferenceBatch batch;
  for (auto const& [chosen, rejected] : lengths) {
    detail::append_random_answer(batch, chosen, true, vocabulary, rng);
    detail::append_random_answer(batch, rejected, false, vocabulary, rng);
  }
  return batch;
}

/// Single answers, desirable and undesirable in turn.
[[nodiscard]] inline UnpairedBatch answer_batch(std::vector<Index> const& lengths, Index vocabulary, Rng& rng) {
  UnpairedBatch batch;
  for (std::size_t i = 0; i < lengths.size(); ++i) detail::append_random_answer(batch, lengths[i], i % 2 == 0, vocabulary, rng);
  return batch;
}

}  // namespace graft::test
