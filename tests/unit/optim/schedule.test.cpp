// SPDX-License-Identifier: Apache-2.0
#include <graft/optim/schedule.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <vector>

using namespace graft;

static_assert(Schedule<Constant> && Schedule<ConstantWithWarmup> && Schedule<LinearWithWarmup> &&
              Schedule<CosineWithWarmup>);

TEST_CASE("schedule: the warm-up starts at 0 and reaches the peak at step warmup_steps") {
  std::vector<double> const expected{0, 0.5, 1, 1.5, 2, 2};
  for (std::size_t step = 0; step < expected.size(); ++step)
    CHECK(ConstantWithWarmup{.peak_lr = 2, .warmup_steps = 4}(step) == expected[step]);
  CHECK(LinearWithWarmup{.peak_lr = 2, .warmup_steps = 4, .total_steps = 8}(3) == 1.5);
  CHECK(CosineWithWarmup{.peak_lr = 2, .warmup_steps = 4, .total_steps = 8}(1) == 0.5);
}

TEST_CASE("schedule: linear falls from the peak to 0 at total_steps and stays there") {
  LinearWithWarmup const schedule{.peak_lr = 1, .warmup_steps = 2, .total_steps = 10};
  CHECK(schedule(2) == 1);
  CHECK(schedule(6) == 0.5);
  CHECK(schedule(9) == doctest::Approx(0.125).epsilon(1e-15));
  CHECK(schedule(10) == 0);
  CHECK(schedule(1000) == 0);
}

TEST_CASE("schedule: cosine passes through known points and ends at min_lr for good") {
  CosineWithWarmup const schedule{.peak_lr = 1, .warmup_steps = 10, .total_steps = 70};
  CHECK(schedule(10) == 1);
  CHECK(schedule(30) == doctest::Approx(0.75).epsilon(1e-14));  // a third: (1 + cos 60°)/2
  CHECK(schedule(40) == doctest::Approx(0.5).epsilon(1e-14));
  CHECK(schedule(50) == doctest::Approx(0.25).epsilon(1e-14));
  CHECK(schedule(70) == doctest::Approx(0).epsilon(1e-15));
  CosineWithWarmup const floor{.peak_lr = 1, .warmup_steps = 10, .total_steps = 70, .min_lr = 0.2};
  CHECK(floor(5) == 0.5);
  CHECK(floor(40) == doctest::Approx(0.6).epsilon(1e-14));
  CHECK(floor(70) == doctest::Approx(0.2).epsilon(1e-14));
  CHECK(floor(100) == floor(70));
}

TEST_CASE("schedule: no warm-up starts at the peak, and a warm-up of the whole run does not divide by zero") {
  CHECK(Constant{.peak_lr = 3}(0) == 3);
  CHECK(ConstantWithWarmup{.peak_lr = 3}(0) == 3);
  CHECK(LinearWithWarmup{.peak_lr = 3, .total_steps = 5}(0) == 3);
  CHECK(CosineWithWarmup{.peak_lr = 3, .warmup_steps = 5, .total_steps = 5}(4) == doctest::Approx(2.4));
  CHECK(CosineWithWarmup{.peak_lr = 3, .warmup_steps = 5, .total_steps = 5}(5) == 3);
}
