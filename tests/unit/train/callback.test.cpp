// SPDX-License-Identifier: Apache-2.0
#include <graft/train/callback.hpp>

#include <doctest/doctest.h>

using namespace graft;

namespace {

struct StepOnly {
  Flow on_step_end(StepContext const&) { return Flow::proceed; }
};
struct EndOnly {
  void on_train_end(StepContext const&) {}
};
struct Both : StepOnly, EndOnly {};
struct Misspelled {
  Flow on_step_ended(StepContext const&) { return Flow::proceed; }
};
struct ForgetsTheFlow {
  void on_step_end(StepContext const&) {}
};
struct WantsToWrite {
  Flow on_step_end(StepContext&) { return Flow::proceed; }
};

static_assert(Callback<StepOnly> && Callback<EndOnly> && Callback<Both>);
static_assert(!Callback<Misspelled> && !Callback<ForgetsTheFlow> && !Callback<WantsToWrite> && !Callback<int>);
static_assert(HasStepEnd<StepOnly> && !HasTrainEnd<StepOnly> && HasTrainEnd<Both>);

}  // namespace

TEST_CASE("callback: a fresh context is step 0 of nothing") {
  StepContext const context;
  CHECK(context.step == 0);
  CHECK(context.total_steps == 0);
  CHECK(context.flops == 0);
}
