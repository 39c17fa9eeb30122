// SPDX-License-Identifier: Apache-2.0
#include <graft/loss/policy/value_loss.hpp>

#include <graft/core/rng.hpp>

#include <doctest/doctest.h>
#include <support/message_of.hpp>

#include <limits>

using namespace graft;

TEST_CASE("value loss: gradients equal central differences, clipped, not clipped and masked") {
  Rng rng(3);
  PolicyBatch batch;
  std::vector<double> values;
  for (std::size_t t = 0; t < 20; ++t) {
    batch.old_values.push_back(rng.normal());
    batch.returns.push_back(rng.normal());
    batch.weights.push_back(t % 5 == 0 ? 0.0f : 1.0f);
    values.push_back(batch.old_values[t] + 0.4 * rng.normal());
  }
  batch.rows.resize(20);
  std::vector<double> gradient(20), ignored(20);
  for (double const clip : {0.2, std::numeric_limits<double>::infinity()}) {
    ValueLoss const loss{.coefficient = 0.7, .clip_range = clip};
    auto const report = loss(values, batch, gradient);
    CHECK(report.tokens == 16);
    CHECK((report.clipped > 0) == (clip < 1));
    for (std::size_t t = 0; t < values.size(); ++t) {
      double const kept = values[t], h = 1e-5;
      values[t] = kept + h;
      double const above = loss(values, batch, ignored).value;
      values[t] = kept - h;
      double const below = loss(values, batch, ignored).value;
      values[t] = kept;
      CHECK(gradient[t] == doctest::Approx((above - below) / (2 * h)).epsilon(1e-6));
    }
  }
  batch.returns.pop_back();
  CHECK(test::message_of([&] { ValueLoss{}(values, batch, gradient); }).find("got 20, 20, 20 and 19") != std::string::npos);
}
