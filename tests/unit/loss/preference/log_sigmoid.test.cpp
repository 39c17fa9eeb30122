// SPDX-License-Identifier: Apache-2.0
#include <graft/loss/preference/log_sigmoid.hpp>

#include <doctest/doctest.h>

#include <initializer_list>

using namespace graft;

TEST_CASE("log_sigmoid: it and sigmoid are exact where exp would overflow or lose everything") {
  for (double const x : {0.0, 0.3, -0.3, 4.0, -4.0, 30.0, -30.0}) {
    CHECK(sigmoid(x) == doctest::Approx(1 / (1 + std::exp(-x))).epsilon(1e-14));
    CHECK(log_sigmoid(x) == doctest::Approx(-std::log1p(std::exp(-x))).epsilon(1e-14));
    CHECK(sigmoid(x) + sigmoid(-x) == doctest::Approx(1).epsilon(1e-14));
  }
  CHECK(log_sigmoid(-1000) == -1000);
  CHECK(log_sigmoid(1000) == 0);
  CHECK(sigmoid(-1000) == 0);
  CHECK(sigmoid(1000) == 1);
  CHECK(log_sigmoid(50) == doctest::Approx(-std::exp(-50.0)).epsilon(1e-12));
}
