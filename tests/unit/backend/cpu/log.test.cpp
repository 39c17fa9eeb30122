// SPDX-License-Identifier: Apache-2.0
#include <graft/backend/cpu/log.hpp>

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <limits>

namespace graft::test {

TEST_CASE("log: every 997th positive normal float is within 3 units in the last place of the exact value") {
  double worst = 0;
  for (std::uint32_t bits = 0x00800000u; bits < 0x7f800000u; bits += 997) {
    auto const x = std::bit_cast<float>(bits);
    double const exact = std::log(static_cast<double>(x));
    if (exact == 0) continue;
    worst = std::fmax(worst, std::abs(static_cast<double>(detail::fast_log(x)) - exact) / std::ldexp(1.0, std::ilogb(exact) - 23));
  }
  CHECK(worst <= 3);
  CHECK(worst > 0.5);  // the loop did look
  CHECK(detail::fast_log(1.0f) == 0.0f);
}

TEST_CASE("log: x log x is 0 at 0") {
  CHECK(0.0f * detail::fast_log(0.0f) == 0.0f);
  CHECK(0.0 * detail::fast_log(0.0) == 0.0);
}

}  // namespace graft::test
