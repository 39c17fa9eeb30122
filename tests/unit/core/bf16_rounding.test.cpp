// SPDX-License-Identifier: Apache-2.0
#include <graft/core/bf16_rounding.hpp>

#include <doctest/doctest.h>

#include <bit>
#include <cstdint>
#include <vector>

using namespace graft;

TEST_CASE("bf16_rounding: the bits of to_bf16 for every kind of float, in rows of every length") {
  // Zeros, subnormals, ties to even and to odd, the largest float, infinities and NaNs, and all exponents.
  std::vector<std::uint32_t> bits{0,          0x80000000, 1,          0x807fffff, 0x007f8000, 0x3f808000, 0x3f818000,
                                  0x3f80ffff, 0x7f7fffff, 0x7f800000, 0xff800000, 0x7fc00001, 0xff800001};
  std::uint32_t random = 3;
  for (std::uint32_t exponent = 0; exponent < 256; ++exponent)
    bits.push_back((random = random * 1664525 + 1013904223) % (1u << 23) | exponent << 23);
  std::vector<float> values;
  for (auto const word : bits) values.push_back(std::bit_cast<float>(word));
  for (std::size_t n = 0; n <= values.size(); ++n) {
    std::vector<bf16> rounded(n + 1, bf16{0x1234});
    round_to_bf16(values.data() + (values.size() - n), static_cast<Index>(n), rounded.data());
    Index different = rounded[n] == bf16{0x1234} ? 0 : 1;
    for (std::size_t i = 0; i < n; ++i) different += rounded[i] == to_bf16(values[values.size() - n + i]) ? 0 : 1;
    CAPTURE(n);
    CHECK(different == 0);
  }
}
