// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/model/transformer.hpp>
#include <graft/optim/state_pieces.hpp>

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace graft {

/// Where the memory of a training run goes, in bytes; known before its first step.
struct MemoryPlan {
  std::size_t program = 0;      ///< resident before the model's weights are: code, tokenizer, data
  std::size_t base = 0;         ///< frozen weights, as they are stored; of a streamed base what is in memory at a time
  std::size_t trained = 0;      ///< values of what is trained
  std::size_t gradients = 0;
  std::size_t optimizer = 0;
  std::size_t activations = 0;  ///< the arena: what backward needs and scratch of the largest micro-batch
  std::size_t scratch = 0;      ///< of the backend: decoded panels, packed operands of products
  std::size_t streamed = 0;     ///< of the base, what is not in memory at a time: not part of the total
  std::size_t paged = 0;        ///< of the optimizer's state and the activations, the same

  [[nodiscard]] std::size_t total() const {
    return program + base + trained + gradients + optimizer + activations + scratch;
  }
  /// Of the `layers` bytes that the layers of the base take, only `window` are in memory at a time.
  void stream(std::size_t layers, std::size_t window) {
    streamed = layers - window;
    base -= streamed;
  }
  friend bool operator==(MemoryPlan const&, MemoryPlan const&) = default;
};

/// Bytes that an optimizer keeps for each trained parameter: AdamW 8, Lion and SGD with momentum 4.
struct StateBytes {
  StateBytes(double in_memory, double in_pages = 0) : memory(in_memory), paged(in_pages) {}

  double memory;
  double paged;  ///< in a file (`Paged`), of which a piece at a time is in memory
};

/// Bytes of all weights of a base as `weights` lists them, those that are trained left out.
[[nodiscard]] inline std::size_t base_bytes(std::vector<WeightInfo> const& weights) {
  std::size_t bytes = 0;
  for (auto const& weight : weights) bytes += weight.trained ? 0 : weight.bytes;
  return bytes;
}

/// What the CPU backends take beside the arena: a decoded panel of 4 MiB, and packed operands of each thread's products.
inline constexpr std::size_t backend_scratch_bytes = std::size_t{12} << 20;

namespace detail {

[[nodiscard]] inline std::size_t sum(std::vector<std::size_t> const& bytes) {
  return std::accumulate(bytes.begin(), bytes.end(), std::size_t{0});
}

/// `plan_memory` with the whole base in memory, whether or not the model streams it.
template <class Model>
[[nodiscard]] MemoryPlan plan_resident(Model const& model, BatchExtent extent, StateBytes state, std::size_t program) {
  Index const trained = model.trainable().elements(), piece = std::min(trained, paged_state_piece);
  auto const values = static_cast<std::size_t>(trained) * sizeof(typename Model::ScalarType);
  StepPlan const step = model.plan(extent);
  std::size_t const paged = model.pages_activations() ? step.paged_bytes : 0;
  return {.program = program,
          .base = base_bytes(model.weights()),
          .trained = values,
          .gradients = values,
          .optimizer = static_cast<std::size_t>(state.memory * static_cast<double>(trained) + state.paged * static_cast<double>(piece)),
          .activations = step.arena_bytes - paged,
          .scratch = backend_scratch_bytes,
          .paged = paged + static_cast<std::size_t>(state.paged * static_cast<double>(trained - piece))};
}

}  // namespace detail

/// The memory of training `model` by micro-batches up to `extent`, with an optimizer that keeps `state` and a process that takes
/// `program` bytes without the model.
template <class Model>
[[nodiscard]] MemoryPlan plan_memory(Model const& model, BatchExtent extent, StateBytes state, std::size_t program) {
  MemoryPlan plan = detail::plan_resident(model, extent, state, program);
  std::size_t const layers = detail::sum(model.mapped_layer_bytes()), window = model.stream_window();
  if (window > 0 && window < layers) plan.stream(layers, window);
  return plan;
}

/// One way to run the steps of a training run, and what it needs.
struct StepLayout {
  Recompute recompute = Recompute::none;
  Index micro_batches = 1;  ///< of an optimizer step
  MemoryPlan memory;
  double flops = 0;         ///< of a step, with what is computed twice
  std::size_t window = 0;   ///< for `stream_layers`; 0: the whole base stays in memory
};

namespace detail {

/// Lets the layers of `layout` stream if that is how it fits into `limit`: all memory that is left becomes their window.
/// `layers`: the bytes of each. Returns whether it fits.
[[nodiscard]] inline bool fit_by_streaming(StepLayout& layout, std::vector<std::size_t> const& layers, std::size_t limit) {
  std::size_t const all = sum(layers);
  std::size_t const least = LayerStream::least_window(layers), total = layout.memory.total();
  if (total <= limit) return true;
  if (least == 0 || least >= all) return false;
  std::size_t const others = total - all;
  layout.window = limit > others + least ? limit - others : least;
  layout.memory.stream(all, layout.window);
  return layout.memory.total() <= limit;
}

}  // namespace detail

/// Finds the fastest way to run steps of `batch_size` records below `limit` bytes: the saving level and the number of
/// micro-batches. `extent_of(n)` is the largest micro-batch of steps cut into n. The measure is the FLOPs of a step; as a
/// micro-batch must decode the weights and fill the products anew, each costs as much as `overhead_tokens` tokens more.
/// A base that is too large is streamed (`StepLayout::window`): each micro-batch then reads what is not in memory twice, beside
/// the computation, and costs at least `flops_per_byte` for each byte. Error: nothing fits; the message says what the smallest way takes.
template <class Model, class ExtentOf>
[[nodiscard]] StepLayout fit_memory(Model& model, std::size_t limit, Index batch_size, StateBytes state,
                                    std::size_t program, ExtentOf&& extent_of) {
  constexpr double overhead_tokens = 16, flops_per_byte = 200;
  std::optional<StepLayout> best, smallest;
  double best_cost = 0;
  auto const layers = model.mapped_layer_bytes();
  for (auto const level : {Recompute::none, Recompute::selective, Recompute::full}) {
    model.set_recompute(level);
    for (Index count = 1;; count = std::min(2 * count, batch_size)) {
      BatchExtent const extent = extent_of(count);
      StepLayout layout{level, count, detail::plan_resident(model, extent, state, program), 0};
      layout.flops = static_cast<double>(count) * model.plan(extent).flops;
      bool const fits = detail::fit_by_streaming(layout, layers, limit);
      double const compute = layout.flops * (1 + overhead_tokens / static_cast<double>(std::max<Index>(extent.tokens, 1)));
      double const cost = std::max(compute, 2 * flops_per_byte * static_cast<double>(count) * static_cast<double>(layout.memory.streamed));
      if (!smallest || layout.memory.total() < smallest->memory.total()) smallest = layout;
      if (fits && (!best || cost < best_cost)) {
        best = layout;
        best_cost = cost;
      }
      if (count >= batch_size) break;
    }
  }
  require(best.has_value(), "memory", "nothing fits into ", limit >> 20, " MiB: the least is ",
          (smallest->memory.total() + (1u << 20) - 1) >> 20, " MiB, by ", smallest->micro_batches,
          " micro-batches a step and full recomputation; shorter records (--max-length) or a lower rank need less");
  model.set_recompute(best->recompute);
  return *best;
}

}  // namespace graft
