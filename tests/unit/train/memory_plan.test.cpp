// SPDX-License-Identifier: Apache-2.0
#include <graft/train/memory_plan.hpp>

#include "support/message_of.hpp"

#include <doctest/doctest.h>

using namespace graft;

namespace {

/// Says of itself what a model would: 1000 bytes a token, 600 or 100 with recomputation, and FLOPs to match.
struct Claims {
  using ScalarType = float;
  struct Parameters {
    Index count;
    [[nodiscard]] Index elements() const { return count; }
  };
  [[nodiscard]] Parameters trainable() const { return {elements}; }
  [[nodiscard]] std::vector<WeightInfo> weights() const {
    if (base > 0) return {{"layers", {64, 64}, Storage::q4_1, false, true, base}};
    return {{"embedding", {100, 64}, Storage::q8_0, false, false, 6800},
            {"norm", {64}, Storage::f32, false, false, 256},
            {"layer", {64, 64}, Storage::q4_1, false, true, 2560},
            {"trained", {64, 64}, Storage::f32, true, false, 16384}};
  }
  [[nodiscard]] std::vector<std::size_t> mapped_layer_bytes() const { return layers; }
  [[nodiscard]] std::size_t stream_window() const { return window; }
  [[nodiscard]] StepPlan plan(BatchExtent extent) const {
    double const per_token[] = {1000, 600, 100}, work[] = {3, 3.4, 4};
    auto const at = static_cast<std::size_t>(level);
    return {static_cast<std::size_t>(per_token[at] * static_cast<double>(extent.tokens)), work[at] * static_cast<double>(extent.tokens), static_cast<std::size_t>(per_token[at] * static_cast<double>(extent.tokens) / 2)};
  }
  void set_recompute(Recompute chosen) { level = chosen; }
  [[nodiscard]] bool pages_activations() const { return pages; }

  Recompute level = Recompute::none;
  std::vector<std::size_t> layers = {2560};
  std::size_t window = 0, base = 0;
  Index elements = 1 << 20;
  bool pages = false;
};

/// Eight records of 1000 tokens in `count` parts.
BatchExtent part_of(Index count) { return {(8 + count - 1) / count * 1000, 500, 1}; }

constexpr std::size_t mebibyte = std::size_t{1} << 20;

}  // namespace

TEST_CASE("memory_plan: the parts are those of the weights, what is trained, and the arena") {
  auto const plan = plan_memory(Claims{}, {1000, 500, 1}, 8, 7);
  CHECK(plan.program == 7);
  CHECK(plan.base == 6800 + 256 + 2560);
  CHECK(plan.trained == 4 * mebibyte);
  CHECK(plan.gradients == 4 * mebibyte);
  CHECK(plan.optimizer == 8 * mebibyte);
  CHECK(plan.activations == 1000000);
  CHECK(plan.total() == 7 + plan.base + 16 * mebibyte + 1000000 + plan.scratch);
}

TEST_CASE("memory_plan: what is paged is on the disk, but for what is in memory at a time") {
  Claims model;
  auto const whole = plan_memory(model, {1000, 500, 1}, 8, 0), eight = plan_memory(model, {1000, 500, 1}, {0, 8}, 0);
  CHECK(whole.paged == 0);
  CHECK(eight.optimizer == whole.optimizer);  // a piece is as large as all that is trained here
  model.elements = 10 << 20;
  auto const paged = plan_memory(model, {1000, 500, 1}, {0.5, 8}, 0);
  CHECK(paged.optimizer == 5 * mebibyte + 8 * mebibyte);
  CHECK(paged.paged == 72 * mebibyte);
  model.pages = true;
  auto const both = plan_memory(model, {1000, 500, 1}, {0.5, 8}, 0);
  CHECK(both.activations == 500000);
  CHECK(both.paged == 72 * mebibyte + 500000);
  CHECK(both.total() == paged.total() - 500000);
}

TEST_CASE("memory_plan: with room for all, a step is one batch and nothing is computed twice") {
  Claims model;
  auto const layout = fit_memory(model, 100 * mebibyte, 8, 8, 0, part_of);
  CHECK(layout.recompute == Recompute::none);
  CHECK(layout.micro_batches == 1);
  CHECK(model.level == Recompute::none);
}

TEST_CASE("memory_plan: smaller parts come before recomputation, which comes before nothing at all") {
  std::size_t const fixed = plan_memory(Claims{}, {0, 0, 1}, 8, 0).total();
  Claims model;
  auto const halves = fit_memory(model, fixed + 4100000, 8, 8, 0, part_of);
  CHECK(halves.micro_batches == 2);
  CHECK(halves.recompute == Recompute::none);
  auto const single = fit_memory(model, fixed + 610000, 8, 8, 0, part_of);
  CHECK(single.micro_batches == 8);
  CHECK(single.recompute == Recompute::selective);
  CHECK(model.level == Recompute::selective);
  auto const least = fit_memory(model, fixed + 110000, 8, 8, 0, part_of);
  CHECK(least.recompute == Recompute::full);
  CHECK(least.memory.total() <= fixed + 110000);
  auto const message = test::message_of([&] { (void)fit_memory(model, fixed + 90000, 8, 8, 0, part_of); });
  CHECK(message.find("[memory] nothing fits into 28 MiB: the least is 29 MiB, by 8 micro-batches a step") == 0);
}

TEST_CASE("memory_plan: a base that is too large is streamed, in as large a window as there is room for") {
  Claims model;
  model.layers = {30 * mebibyte, 20 * mebibyte, 10 * mebibyte, 40 * mebibyte};
  model.base = 110 * mebibyte;
  std::size_t const others = plan_memory(model, {8000, 500, 1}, 8, 0).total() - 100 * mebibyte;
  auto const whole = fit_memory(model, others + 100 * mebibyte, 8, 8, 0, part_of);
  CHECK(whole.window == 0);
  CHECK(whole.memory.streamed == 0);
  auto const streamed = fit_memory(model, others + 70 * mebibyte, 8, 8, 0, part_of);
  CHECK(streamed.window >= 70 * mebibyte);
  CHECK(streamed.memory.streamed == 100 * mebibyte - streamed.window);
  CHECK(streamed.memory.base == 110 * mebibyte - streamed.memory.streamed);
  CHECK(streamed.memory.total() <= others + 70 * mebibyte);
  CHECK(streamed.micro_batches == 1);  // each more would read the base again
  model.window = streamed.window;
  CHECK(plan_memory(model, {8000, 500, 1}, 8, 0).streamed == streamed.memory.streamed);
  CHECK(fit_memory(model, others + 70 * mebibyte, 8, 8, 0, part_of).memory == streamed.memory);  // a second run with the model
  auto const message = test::message_of([&] { (void)fit_memory(model, 60 * mebibyte, 8, 8, 0, part_of); });
  CHECK(message.find("[memory] nothing fits into 60 MiB: the least is") == 0);
}
