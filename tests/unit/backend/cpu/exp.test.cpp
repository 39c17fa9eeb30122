// SPDX-License-Identifier: Apache-2.0
#include <graft/backend/cpu/exp.hpp>

#include <graft/core/rng.hpp>

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace graft::test {

TEST_CASE("exp: every 1009th float is within 2 units in the last place of the exact value") {
  double worst = 0;
  int outside = 0, lost = 0;
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += 1009) {
    auto const x = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    float const y = detail::fast_exp(x);
    if (std::isnan(x)) {
      lost += !std::isnan(y);
    } else if (x < -86.6f) {
      outside += y != 0.0f;
    } else if (x > 0x1.62e42ep+6f) {
      outside += !std::isinf(y);
    } else {
      double const exact = std::exp(static_cast<double>(x));
      worst = std::fmax(worst, std::abs(static_cast<double>(y) - exact) / std::ldexp(1.0, std::ilogb(exact) - 23));
    }
  }
  CHECK(lost == 0);
  CHECK(outside == 0);
  CHECK(worst <= 2);
  CHECK(worst > 0.5);  // the loop did look
}

TEST_CASE("exp: a million doubles are within 2 units in the last place of the standard library's") {
  Rng rng(1);
  double worst = 0;
  int outside = 0;
  for (int i = 0; i < 1000000; ++i) {
    double const x = i % 2 == 0 ? rng.uniform(-800, 800) : 3 * rng.normal();
    double const y = detail::fast_exp(x), exact = std::exp(x);
    if (x < -708.0)
      outside += y != 0.0;
    else if (x > 709.79)
      outside += !std::isinf(y);
    else if (x < 709.78)
      worst = std::fmax(worst, std::abs(y - exact) / std::ldexp(1.0, std::ilogb(exact) - 52));
  }
  CHECK(outside == 0);
  CHECK(worst <= 2);
  CHECK(worst > 0.1);
}

TEST_CASE("exp: the ends of its range, infinities and zero are exact") {
  float const infinity = std::numeric_limits<float>::infinity();
  CHECK(detail::fast_exp(0.0f) == 1.0f);
  CHECK(detail::fast_exp(-0.0f) == 1.0f);
  CHECK(detail::fast_exp(-infinity) == 0.0f);
  CHECK(detail::fast_exp(infinity) == infinity);
  CHECK(detail::fast_exp(0x1.62e42ep+6f) < infinity);
  CHECK(detail::fast_exp(0x1.62e43p+6f) == infinity);
  CHECK(detail::fast_exp(-86.6f) > 0.0f);
  CHECK(std::isnan(detail::fast_exp(std::numeric_limits<float>::quiet_NaN())));
  double const wide = std::numeric_limits<double>::infinity();
  CHECK(detail::fast_exp(0.0) == 1.0);
  CHECK(detail::fast_exp(-wide) == 0.0);
  CHECK(detail::fast_exp(wide) == wide);
  CHECK(detail::fast_exp(709.782) < wide);
  CHECK(detail::fast_exp(709.79) == wide);
  CHECK(std::isnan(detail::fast_exp(std::numeric_limits<double>::quiet_NaN())));
}

}  // namespace graft::test
