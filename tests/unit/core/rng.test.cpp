// SPDX-License-Identifier: Apache-2.0
#include <graft/core/rng.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <vector>

using graft::Philox;
using graft::Rng;
using Block = std::array<std::uint32_t, 4>;

TEST_CASE("rng: Philox 4x32-10 gives the known answers of its authors' test vectors") {
  CHECK(Philox{}.block(0) == Block{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u});
  CHECK(Philox{~0ull, ~0ull}.block(~0ull) == Block{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu});
  // Counter 243f6a88 85a308d3 13198a2e 03707344, key a4093822 299f31d0: the digits of pi.
  Philox const pi{0x299f31d0a4093822ull, 0x0370734413198a2eull};
  CHECK(pi.block(0x85a308d3243f6a88ull) == Block{0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u});
}

TEST_CASE("rng: word n is the n-th word of the blocks in order, in any order of asking") {
  Philox const philox{42, 7};
  for (std::uint64_t n : {11ull, 0ull, 3ull, 4ull, 1'000'000'007ull}) CHECK(philox.word(n) == philox.block(n / 4)[n % 4]);
  CHECK(philox.word(0) != philox.word(1));
}

TEST_CASE("rng: seeds, streams and high key bits each give other numbers") {
  std::set<std::uint64_t> seen;
  for (std::uint64_t seed : {0ull, 1ull, 1ull << 32, 1ull << 63})
    for (std::uint64_t stream : {0ull, 1ull, 1ull << 32, 1ull << 63}) seen.insert(Rng(seed, stream).next());
  CHECK(seen.size() == 16);
}

TEST_CASE("rng: seeking to a position continues as if never interrupted") {
  Rng rng(5, 2);
  for (int i = 0; i < 37; ++i) rng.next();
  auto const position = rng.position();
  std::vector<double> rest;
  for (int i = 0; i < 20; ++i) rest.push_back(rng.normal());
  Rng resumed(5, 2);
  resumed.seek(position);
  for (double value : rest) CHECK(resumed.normal() == value);
  CHECK(resumed.position() == rng.position());
}

TEST_CASE("rng: uniform stays in [0, 1), and has the mean and variance of a uniform variable") {
  Rng rng(123);
  int const n = 200'000;
  double sum = 0, squares = 0, low = 1, high = 0;
  for (int i = 0; i < n; ++i) {
    double const u = rng.uniform();
    sum += u;
    squares += u * u;
    low = std::min(low, u);
    high = std::max(high, u);
  }
  double const mean = sum / n;
  CHECK(low >= 0.0);
  CHECK(high < 1.0);
  CHECK(mean == doctest::Approx(0.5).epsilon(0.005));
  CHECK(squares / n - mean * mean == doctest::Approx(1.0 / 12.0).epsilon(0.01));
  for (int i = 0; i < 1000; ++i) {
    double const u = rng.uniform(-3.0, -2.0);
    CHECK((u >= -3.0 && u < -2.0));
  }
}

TEST_CASE("rng: normal has mean 0, variance 1 and kurtosis 3, and is never infinite") {
  Rng rng(99);
  int const n = 200'000;
  double sum = 0, second = 0, fourth = 0;
  bool finite = true;
  for (int i = 0; i < n; ++i) {
    double const x = rng.normal();
    finite = finite && std::isfinite(x);
    sum += x;
    second += x * x;
    fourth += x * x * x * x;
  }
  CHECK(finite);
  CHECK(std::abs(sum / n) < 0.01);
  CHECK(second / n == doctest::Approx(1.0).epsilon(0.01));
  CHECK(fourth / n == doctest::Approx(3.0).epsilon(0.05));
}

TEST_CASE("rng: below(n) reaches every value about equally often and never n") {
  Rng rng(7);
  std::map<std::uint64_t, int> counts;
  for (int i = 0; i < 70'000; ++i) ++counts[rng.below(7)];
  CHECK(counts.size() == 7);
  CHECK(counts.rbegin()->first == 6);
  for (auto const& [value, count] : counts) CHECK(std::abs(count - 10'000) < 400);  // more than four standard deviations
  for (int i = 0; i < 100; ++i) CHECK(rng.below(1) == 0);
}

TEST_CASE("rng: below has no bias where n does not divide the range: three quarters of 2^64") {
  // A remainder without rejection would give the lowest third of the values twice as often.
  std::uint64_t const n = 3ull << 62;
  Rng rng(11);
  int lowest_third = 0;
  for (int i = 0; i < 30'000; ++i) lowest_third += rng.below(n) < n / 3 ? 1 : 0;
  CHECK(std::abs(lowest_third - 10'000) < 400);
}

TEST_CASE("rng: shuffle permutes, by seed, and leaves one item or none alone") {
  std::vector<int> items(100);
  std::iota(items.begin(), items.end(), 0);
  auto first = items, second = items, other = items;
  Rng a(3), b(3), c(4);
  graft::shuffle(first, a);
  graft::shuffle(second, b);
  graft::shuffle(other, c);
  CHECK(first == second);
  CHECK(first != other);
  CHECK(first != items);
  std::sort(first.begin(), first.end());
  CHECK(first == items);
  std::vector<int> none, one{8};
  graft::shuffle(none, a);
  graft::shuffle(one, a);
  CHECK(one.front() == 8);
}

TEST_CASE("rng: each of the six orders of three items comes up equally often") {
  Rng rng(21);
  std::map<std::vector<int>, int> counts;
  for (int i = 0; i < 60'000; ++i) {
    std::vector<int> items{0, 1, 2};
    graft::shuffle(items, rng);
    ++counts[items];
  }
  CHECK(counts.size() == 6);
  for (auto const& [order, count] : counts) CHECK(std::abs(count - 10'000) < 400);
}
