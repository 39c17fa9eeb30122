// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/core/scalar.hpp>
#include <graft/data/packing.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace graft {

/// Tokenised records that batches are made of: data[i] has tokens() and line, and append_example(batch, data[i]) puts it
/// behind what a batch holds; total_weight() of a batch is what the normalizers of a step add up.
template <class D>
concept BatchSource = requires(D const& data, typename D::Batch& batch, Index i) {
  { data.size() } -> std::same_as<Index>;
  { data[i].tokens() } -> std::same_as<Index>;
  append_example(batch, data[i]);
  batch.clear();
  { batch.total_weight() } -> std::convertible_to<double>;
  { data.fingerprint() } -> std::same_as<std::uint64_t>;
  data.examples();
  data.report();
  data.path();
};

/// How records become optimizer steps and micro-batches.
///   batch_size = B: a step takes the next B records, in `gradient_accumulation` groups of equal size (±1);
///     with a budget too, each group is packed into as few micro-batches of at most `tokens_per_batch` as first-fit
///     decreasing finds. Which records a step has depends on the order only.
///   tokens_per_batch = N alone: a micro-batch takes the next records while they fit into N tokens; a step has
///     `gradient_accumulation` micro-batches.
/// The last step of an epoch has what is left.
struct BatchOptions {
  Index batch_size = 0;             ///< records of an optimizer step
  Index tokens_per_batch = 0;       ///< most tokens of a micro-batch; 0: no limit
  Index gradient_accumulation = 1;  ///< micro-batches of an optimizer step
  std::uint64_t seed = 0;
  bool shuffle = true;  ///< a new order each epoch; else the file's
};

/// Checks the options. Error: names the option.
void validate(BatchOptions const& options);

/// The part of a data source's options that says how its records become steps, checked. With `records` ("pairs") a step must be of
/// a number of these. Error: names the option.
template <class Options>
[[nodiscard]] BatchOptions batch_options_of(Options const& options, std::string_view records = {}) {
  require(records.empty() || options.batch_size >= 1, "data", "batch_size, the ", records, " of a step, must be at least 1: got ",
          options.batch_size);
  BatchOptions const batches{.batch_size = options.batch_size,
                             .tokens_per_batch = options.tokens_per_batch,
                             .gradient_accumulation = options.gradient_accumulation,
                             .seed = options.seed,
                             .shuffle = options.shuffle};
  validate(batches);
  return batches;
}

/// Checks the options against the data too. Error: names the option, or the record that no micro-batch can hold.
template <BatchSource Data>
void validate(BatchOptions const& options, Data const& data) {
  validate(options);
  if (options.tokens_per_batch == 0) return;
  for (auto const& example : data.examples())
    require(example.tokens() <= options.tokens_per_batch, "data", data.path(), ":", example.line, ": the record has ",
            example.tokens(), " tokens, more than tokens_per_batch=", options.tokens_per_batch,
            ": raise that, or lower max_length to cut records");
}

/// Where, in `order`, the micro-batch or (with batch_size) the step that begins at `begin` ends.
template <BatchSource Data>
[[nodiscard]] Index micro_batch_end(Data const& data, BatchOptions const& options, std::span<Index const> order,
                                    Index begin) {
  Index end = begin;
  Index tokens = 0;
  while (end < std::ssize(order)) {
    tokens += data[order[static_cast<std::size_t>(end)]].tokens();
    if (tokens > options.tokens_per_batch) break;
    ++end;
  }
  return end;
}

/// Where, in `order`, the optimizer step that begins at `begin` ends.
template <BatchSource Data>
[[nodiscard]] Index step_end(Data const& data, BatchOptions const& options, std::span<Index const> order, Index begin) {
  if (options.batch_size > 0) return begin + std::min(options.batch_size, std::ssize(order) - begin);
  for (Index i = 0; i < options.gradient_accumulation; ++i) begin = micro_batch_end(data, options, order, begin);
  return begin;
}

/// The micro-batches of the step that takes order[begin … end-1]: each a list of indices into the data set.
template <BatchSource Data>
[[nodiscard]] std::vector<std::vector<Index>> plan_micro_batches(Data const& data, BatchOptions const& options,
                                                                 std::span<Index const> order, Index begin, Index end) {
  std::vector<std::vector<Index>> plan;
  auto const records = [&](Index from, Index to) {
    auto const part = order.subspan(static_cast<std::size_t>(from), static_cast<std::size_t>(to - from));
    return std::vector<Index>(part.begin(), part.end());
  };
  if (options.batch_size == 0) {
    while (begin < end) {
      Index const next = micro_batch_end(data, options, order, begin);
      plan.push_back(records(begin, next));
      begin = next;
    }
    return plan;
  }
  Index const count = end - begin;
  Index const groups = std::min(options.gradient_accumulation, count);
  for (Index g = 0; g < groups; ++g) {
    auto const group = records(begin + g * count / groups, begin + (g + 1) * count / groups);
    if (options.tokens_per_batch == 0) {
      plan.push_back(group);
      continue;
    }
    std::vector<Index> sizes;
    for (Index const i : group) sizes.push_back(data[i].tokens());
    for (auto const& bin : pack_first_fit_decreasing(sizes, options.tokens_per_batch)) {
      plan.emplace_back();
      for (Index const i : bin) plan.back().push_back(group[static_cast<std::size_t>(i)]);
    }
  }
  return plan;
}

/// Makes a step's micro-batches, reusing the memory of those in `step`. Each one's normalizer is the weight of the
/// whole step, so that the sum of their losses, and of their gradients, is that of one large batch. What else a kind of batch
/// is to know of its whole step it takes from `Batch::share_step(step)`, if there is one.
template <BatchSource Data>
void build_step(std::vector<typename Data::Batch>& step, Data const& data,
                std::vector<std::vector<Index>> const& plan) {
  step.resize(plan.size());
  double weight = 0;
  for (std::size_t m = 0; m < plan.size(); ++m) {
    auto& batch = step[m];
    batch.clear();
    for (Index const i : plan[m]) append_example(batch, data[i]);
    weight += batch.total_weight();
  }
  for (auto& batch : step) batch.normalizer = weight;
  if constexpr (requires { Data::Batch::share_step(step); }) Data::Batch::share_step(step);
}

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/data/batch_plan.tpp>
#endif
