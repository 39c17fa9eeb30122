// SPDX-License-Identifier: Apache-2.0
#include <graft/adapter/combine.hpp>

#include <support/message_of.hpp>

#include <doctest/doctest.h>

using namespace graft;
using test::message_of;

namespace {

/// Factors of a (1, n) matrix of rank 1: B = (1), A = the values.
LowRank row(std::vector<double> values) {
  auto const n = static_cast<Index>(values.size());
  return {1, n, 1, std::move(values), {1}};
}

}  // namespace

TEST_CASE("combine: linear adds factors, cat adds products, and a negative weight subtracts") {
  std::vector<LowRank> const two{row({1, 2}), row({10, 20})};
  std::vector<double> const weights{4, -9};
  auto const linear = combine(two, weights, {});
  CHECK(linear.a == std::vector<double>{2 * 1 - 3 * 10, 2 * 2 - 3 * 20});
  CHECK(linear.b == std::vector<double>{5});
  auto const cat = combine(two, weights, {.combination = Combination::cat});
  CHECK(cat.rank == 2);
  CHECK(cat.a == std::vector<double>{4, 8, -90, -180});
  CHECK(cat.b == std::vector<double>{1, 1});
}

TEST_CASE("combine: ties averages the entries of the majority's sign after pruning") {
  std::vector<LowRank> const three{row({4, -1, 2, 3}), row({-2, -1, 5, 1}), row({-1, 6, 0.5, 9})};
  std::vector<double> const weights{1, 1, 1};
  // Sums 1, 4, 7.5, 13 are positive.
  CHECK(combine(three, weights, {.combination = Combination::ties}).a == std::vector<double>{4, 6, 2.5, 13.0 / 3});
  // Two of three are negative in the first two columns.
  CHECK(combine(three, weights, {.combination = Combination::ties, .sign_by_count = true}).a == std::vector<double>{-1.5, -1, 2.5, 13.0 / 3});
  // The two largest of each: (4, 0, 0, 3), (-2, 0, 5, 0), (0, 6, 0, 9).
  CHECK(combine({three[0]}, std::vector<double>{1}, {.combination = Combination::magnitude_prune, .density = 0.5}).a ==
        std::vector<double>{4, 0, 0, 3});
}

TEST_CASE("combine: dare keeps a share, scaled so that the mean stays, the same for one seed") {
  std::vector<LowRank> const one{row(std::vector<double>(4000, 1.0))};
  std::vector<double> const weight{1};
  CombineOptions const options{.combination = Combination::dare_linear, .density = 0.25};
  auto const drawn = combine(one, weight, options, 3);
  double sum = 0;
  for (double const value : drawn.a) {
    CHECK((value == 0 || value == 4));
    sum += value;
  }
  CHECK(sum / 4000 == doctest::Approx(1).epsilon(0.1));
  CHECK(combine(one, weight, options, 3).a == drawn.a);
  CHECK(combine(one, weight, options, 4).a != drawn.a);
}

TEST_CASE("combine: what does not fit together is refused") {
  std::vector<double> const two{1, 1};
  CHECK(message_of([&] { (void)combine({row({1})}, two, {}); }) == "[combine] each adapter needs one weight: got 1 adapters and 2 weights");
  CHECK(message_of([&] { (void)combine({row({1}), row({1, 2})}, two, {}); }) ==
        "[combine] the adapters must be of one model: a module is (1, 1) in one and (1, 2) in another");
  CHECK(message_of([&] { (void)combine({row({1}), LowRank::zeros(2, 1, 1)}, two, {}); }) ==
        "[combine] linear needs adapters of one rank; use cat or svd");
  CHECK(message_of([&] { (void)combine({row({1})}, std::vector<double>{1}, {.density = 0}); }) ==
        "[combine] density must be in (0, 1]: got 0");
  CHECK(message_of([] { (void)combination_named("slerp"); }).find("got 'slerp'") != std::string::npos);
}
