// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/parallel.hpp>
#include <graft/model/kv_cache.hpp>
#include <graft/model/transformer.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

namespace graft {

/// A prompt and the answer whose probability is asked for.
struct PromptAnswer {
  std::vector<std::int32_t> prompt;
  std::vector<std::int32_t> answer;
};

/// -Σ log p(answer | prompt) of every item, in nats. What `evaluate` computes too, but a beginning that all prompts share,
/// instructions and worked examples, goes through the model once. Items are computed `tokens` tokens at a time.
template <class Model>
[[nodiscard]] std::vector<double> answer_nll(Model& model, std::span<PromptAnswer const> items, bool adapters = true,
                                             Index tokens = 1024) {
  using T = typename Model::ScalarType;
  using B = typename Model::BackendType;
  std::vector<double> nll(items.size(), 0.0);
  if (items.empty()) return nll;
  Index longest = 0, shared = static_cast<Index>(items.front().prompt.size()) - 1;
  for (auto const& item : items) {
    require(!item.prompt.empty(), "nll", "a prompt must have at least one token");
    longest = std::max(longest, static_cast<Index>(item.prompt.size() + item.answer.size()));
    shared = std::min(shared, static_cast<Index>(item.prompt.size()) - 1);
    auto const differs = std::mismatch(item.prompt.begin(), item.prompt.begin() + shared, items.front().prompt.begin()).first;
    shared = differs - item.prompt.begin();
  }
  Index const slots = std::max<Index>(1, tokens / std::max<Index>(1, longest - shared));
  KvCache<T, B> cache(model.backend(), model.config(), slots + 1, longest);
  std::vector<std::int32_t> ids, positions, rows;
  std::vector<CacheEntry> entries;
  std::vector<T> logits;
  auto const vocabulary = static_cast<std::size_t>(model.config().vocab_size);
  auto const pass = [&] {
    logits.resize(rows.size() * vocabulary);
    model.forward_cached(ids, positions, cache.layers(), entries, rows, adapters, std::span<T>(logits));
  };
  for (Index at = 0; at < shared; at += tokens) {  // the shared beginning, into the last slot
    Index const count = std::min(tokens, shared - at);
    auto const& prompt = items.front().prompt;
    ids.assign(prompt.begin() + at, prompt.begin() + at + count);
    positions.resize(ids.size());
    for (Index i = 0; i < count; ++i) positions[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(at + i);
    entries = {{slots, 0, count, at + count}};
    rows.clear();
    pass();
  }
  for (std::size_t first = 0; first < items.size(); first += static_cast<std::size_t>(slots)) {
    std::size_t const last = std::min(items.size(), first + static_cast<std::size_t>(slots));
    ids.clear();
    positions.clear();
    rows.clear();
    entries.clear();
    std::vector<std::int32_t> targets;
    for (std::size_t i = first; i < last; ++i) {
      auto const slot = static_cast<Index>(i - first), begin = static_cast<Index>(ids.size());
      if (shared > 0) cache.copy_prefix(slots, slot, shared);
      auto const& [prompt, answer] = items[i];
      ids.insert(ids.end(), prompt.begin() + shared, prompt.end());
      if (!answer.empty()) ids.insert(ids.end(), answer.begin(), answer.end() - 1);
      auto const count = static_cast<Index>(ids.size()) - begin;
      for (Index t = 0; t < count; ++t) positions.push_back(static_cast<std::int32_t>(shared + t));
      for (std::size_t t = 0; t < answer.size(); ++t) {
        rows.push_back(static_cast<std::int32_t>(begin + static_cast<Index>(prompt.size() + t) - shared - 1));
        targets.push_back(answer[t]);
      }
      entries.push_back({slot, begin, count, shared + count});
    }
    pass();
    std::vector<double> each(rows.size());
    parallel_for(static_cast<Index>(rows.size()), [&](Index row) {
      auto const* l = logits.data() + static_cast<std::size_t>(row) * vocabulary;
      double const largest = static_cast<double>(*std::max_element(l, l + vocabulary));
      double sum = 0;
      for (std::size_t v = 0; v < vocabulary; ++v) sum += std::exp(static_cast<double>(l[v]) - largest);
      each[static_cast<std::size_t>(row)] =
          largest + std::log(sum) - static_cast<double>(l[targets[static_cast<std::size_t>(row)]]);
    });
    std::size_t row = 0;
    for (std::size_t i = first; i < last; ++i)
      for (std::size_t t = 0; t < items[i].answer.size(); ++t) nll[i] += each[row++];
  }
  return nll;
}

}  // namespace graft
