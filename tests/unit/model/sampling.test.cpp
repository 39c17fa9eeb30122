// SPDX-License-Identifier: Apache-2.0
#include <graft/model/sampling.hpp>

#include <doctest/doctest.h>

using namespace graft;

namespace {

std::vector<double> filtered(Sampling sampling, std::vector<float> const& logits, std::vector<std::int32_t> const& seen = {}) {
  Sampler sampler(sampling);
  auto const p = sampler.probabilities(std::span<float const>(logits), seen);
  return {p.begin(), p.end()};
}

}  // namespace

TEST_CASE("sampling: without filters the probabilities are the softmax") {
  auto const p = filtered({}, {0.0f, std::log(3.0f)});
  CHECK(p[0] == doctest::Approx(0.25));
  CHECK(p[1] == doctest::Approx(0.75));
}

TEST_CASE("sampling: temperature divides the logits") {
  auto const p = filtered({.temperature = 2}, {0.0f, 2 * std::log(3.0f)});
  CHECK(p[1] == doctest::Approx(0.75));
}

TEST_CASE("sampling: top-k keeps the k largest and their equals") {
  auto const p = filtered({.top_k = 2}, {1.0f, 3.0f, 2.0f, 2.0f});
  CHECK(p[0] == 0);
  CHECK(p[1] > p[2]);
  CHECK(p[2] == p[3]);
}

TEST_CASE("sampling: top-p keeps the smallest set that reaches the mass, at least one token") {
  std::vector<float> const logits{std::log(0.5f), std::log(0.3f), std::log(0.15f), std::log(0.05f)};
  auto const most = filtered({.top_p = 0.7}, logits);
  CHECK(most[0] == doctest::Approx(0.625));
  CHECK(most[1] == doctest::Approx(0.375));
  CHECK(most[2] == 0);
  auto const one = filtered({.top_p = 1e-9}, logits);
  CHECK(one[0] == 1);
}

TEST_CASE("sampling: min-p keeps what has its share of the largest probability") {
  auto const p = filtered({.min_p = 0.2}, {std::log(0.5f), std::log(0.4f), std::log(0.1f - 1e-4f)});
  CHECK(p[0] == doctest::Approx(5.0 / 9));
  CHECK(p[2] == 0);
}

TEST_CASE("sampling: the repetition penalty moves seen tokens towards less probable, once each") {
  auto const p = filtered({.repetition_penalty = 2}, {2.0f, -1.0f, 0.5f}, {0, 1, 0});
  auto const expected = filtered({}, {1.0f, -2.0f, 0.5f});
  for (std::size_t i = 0; i < 3; ++i) CHECK(p[i] == doctest::Approx(expected[i]));
}

TEST_CASE("sampling: draws follow the probabilities") {
  std::vector<float> const logits{std::log(0.2f), std::log(0.5f), std::log(0.3f)};
  Sampler sampler({.greedy = false, .seed = 1});
  std::array<int, 3> count{};
  constexpr int draws = 20000;
  for (int i = 0; i < draws; ++i)
    ++count[static_cast<std::size_t>(sampler.draw(std::span<float const>(logits), {}, 0, static_cast<std::uint64_t>(i)))];
  CHECK(count[0] == doctest::Approx(0.2 * draws).epsilon(0.05));
  CHECK(count[1] == doctest::Approx(0.5 * draws).epsilon(0.05));
}

TEST_CASE("sampling: greedy takes the first of equals") {
  std::vector<float> const logits{1.0f, 4.0f, 4.0f};
  CHECK(Sampler({}).draw(std::span<float const>(logits), {}, 0, 0) == 1);
}
