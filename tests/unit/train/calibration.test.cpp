// SPDX-License-Identifier: Apache-2.0
#include <graft/train/calibration.hpp>

#include <doctest/doctest.h>

using namespace graft;

TEST_CASE("calibration: error and Brier score are those of the definitions") {
  Calibration calibration;
  CHECK(calibration.expected_error() == 0);
  CHECK(calibration.brier() == 0);
  for (int i = 0; i < 4; ++i) calibration.add(0.9, i < 2);  // half right at 0.9
  for (int i = 0; i < 6; ++i) calibration.add(0.62, i < 3);
  CHECK(calibration.answers() == 10);
  CHECK(calibration.expected_error() == doctest::Approx(0.4 * 0.4 + 0.6 * 0.12));
  CHECK(calibration.brier() == doctest::Approx((2 * 0.01 + 2 * 0.81 + 3 * 0.38 * 0.38 + 3 * 0.62 * 0.62) / 10));
}

TEST_CASE("calibration: the ends of the scale lie in the outer bins") {
  Calibration calibration;
  calibration.add(0.5, false);
  calibration.add(1.0, true);
  CHECK(calibration.bins().front().answers == 1);
  CHECK(calibration.bins().back().right == 1);
  CHECK(calibration.bins().back().mean_confidence() == 1);
  CHECK(calibration.bins()[4].share_right() == 0);
}
