// SPDX-License-Identifier: Apache-2.0
#include <graft/model/rope_frequencies.hpp>

#include <doctest/doctest.h>

using namespace graft;

namespace {

void check(RopeFrequencies const& rope, std::vector<double> const& inverse, double factor) {
  REQUIRE(rope.inverse.size() == inverse.size());
  for (std::size_t i = 0; i < inverse.size(); ++i) {
    CAPTURE(i);
    CHECK(rope.inverse[i] == doctest::Approx(inverse[i]).epsilon(1e-12));
  }
  CHECK(rope.factor == doctest::Approx(factor).epsilon(1e-14));
}

}  // namespace

TEST_CASE("rope_frequencies: without scaling they are base^(-2i/D)") {
  check(rope_frequencies(8, 10000, {}), {1, 0.1, 0.01, 0.001}, 1);
  check(rope_frequencies(4, 16, {}), {1, 0.25}, 1);
  check(rope_frequencies(2, 500000, {}), {1}, 1);
}

TEST_CASE("rope_frequencies: linear scaling divides all of them") {
  check(rope_frequencies(8, 10000, {.kind = RopeScaling::Kind::linear, .factor = 4}), {0.25, 0.025, 0.0025, 0.00025}, 1);
}

TEST_CASE("rope_frequencies: llama3 keeps short waves, divides long ones and mixes between") {
  // An original context of 2011 ≈ 640π and factors 1 and 4: waves up to 160π stay, waves from 640π are divided by 8.
  // θ = 1/50, 1/100, 1/200, 1/400 have waves 100π, 200π, 400π, 800π: kept, mixed, mixed, divided.
  double const pi = std::numbers::pi;
  RopeScaling scaling{.kind = RopeScaling::Kind::llama3, .factor = 8, .low_freq_factor = 1, .high_freq_factor = 4};
  scaling.original_max_position_embeddings = 2011;
  auto const smooth = [&](double wave) { return (2011 / wave - 1) / 3; };
  auto const mixed = [&](double theta, double wave) { return smooth(wave) * theta + (1 - smooth(wave)) * theta / 8; };
  check(rope_frequencies(2, 1e4, scaling), {1}, 1);
  // base^(-2/4) = θ, one base for each θ to look at
  check(rope_frequencies(4, 1e4, scaling), {1, mixed(0.01, 200 * pi)}, 1);
  check(rope_frequencies(4, 4e4, scaling), {1, mixed(0.005, 400 * pi)}, 1);
  check(rope_frequencies(4, 16e4, scaling), {1, 0.0025 / 8}, 1);
  check(rope_frequencies(4, 2500, scaling), {1, 0.02}, 1);
  CHECK(mixed(0.01, 200 * pi) == doctest::Approx(0.01 * (11.0 / 15 + 4.0 / 15 / 8)).epsilon(1e-3));
}

TEST_CASE("rope_frequencies: yarn turns fast pairs as before, slow ones divided, and scales by 0.1 ln s + 1") {
  // D = 8, base 10^4: pair i turns original·10^-i/2π times, so r turns belong to i = log10(original/2πr).
  // original = 2π·10^3, rounded: 32 turns at 1.49, 1 turn at 3.0; ramp from ⌊1.49⌋ = 1 to ⌈3.0⌉ = 3 (6283 < 2π·10^3).
  RopeScaling scaling{.kind = RopeScaling::Kind::yarn, .factor = 4};
  scaling.original_max_position_embeddings = 6283;
  check(rope_frequencies(8, 10000, scaling), {1, 0.1, 0.01 * (0.5 + 0.5 / 4), 0.001 / 4}, 0.1 * std::log(4.0) + 1);
  scaling.attention_factor = 1.5;
  check(rope_frequencies(8, 10000, scaling), {1, 0.1, 0.00625, 0.00025}, 1.5);
  scaling.attention_factor = 0;
  scaling.factor = 1;
  check(rope_frequencies(8, 10000, scaling), {1, 0.1, 0.01, 0.001}, 1);
}

TEST_CASE("rope_frequencies: a yarn ramp of no width is a step, not a division by zero") {
  // Both ends at or below pair 0: everything from pair 1 on is divided.
  RopeScaling scaling{.kind = RopeScaling::Kind::yarn, .factor = 2};
  scaling.original_max_position_embeddings = 6;
  auto const rope = rope_frequencies(8, 10000, scaling);
  for (std::size_t i = 1; i < 4; ++i) CHECK(rope.inverse[i] == doctest::Approx(std::pow(10.0, -static_cast<double>(i)) / 2));
  for (double const theta : rope.inverse) CHECK(std::isfinite(theta));
}
