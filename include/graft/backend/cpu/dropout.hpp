// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/argument.hpp>
#include <graft/backend/cpu/elementwise.hpp>
#include <graft/core/rng.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace graft::detail {

/// The words first … first + count - 1 of a Philox stream; both are multiples of 4. Blocks are lanes of vector registers;
/// every word stands in 64 bits, because vector units multiply 32 by 32 bits there.
template <std::size_t count>
void philox_words(Philox random, std::uint64_t first, std::uint32_t (&words)[count]) noexcept {
  constexpr std::uint64_t low = 0xffffffffu;
  constexpr bool little = std::endian::native == std::endian::little;
  std::uint64_t pairs[count / 2];
  for (std::size_t i = 0; i < count / 4; ++i) {
    std::uint64_t const block = first / 4 + i;
    std::uint64_t c0 = block & low, c1 = block >> 32, c2 = random.stream & low, c3 = random.stream >> 32;
    auto k0 = static_cast<std::uint32_t>(random.key), k1 = static_cast<std::uint32_t>(random.key >> 32);
    for (int round = 0; round < 10; ++round) {
      std::uint64_t const p0 = 0xD2511F53u * c0, p1 = 0xCD9E8D57u * c2;
      c0 = (p1 >> 32) ^ c1 ^ k0;
      c1 = p1 & low;
      c2 = (p0 >> 32) ^ c3 ^ k1;
      c3 = p0 & low;
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    pairs[2 * i] = little ? c0 | c1 << 32 : c0 << 32 | c1;
    pairs[2 * i + 1] = little ? c2 | c3 << 32 : c2 << 32 | c3;
  }
  std::memcpy(words, pairs, sizeof words);
}

/// 1 or 0 without a branch: GCC does not vectorise a conditional product.
template <class T>
[[nodiscard]] T one_if(bool condition) {
  std::uint32_t const mask = std::uint32_t{0} - static_cast<std::uint32_t>(condition);
  return static_cast<T>(std::bit_cast<float>(mask & 0x3f800000u));
}

struct CpuDropout {
  template <Scalar T>
  void dropout(InArg<T> x, ValueArg<T> p, Philox random, bool accumulate, Out<T> y) {
    assert(x.contiguous() && y.contiguous() && x.size() == y.size());
    constexpr Index words = 64;
    static_assert(elements_per_task % words == 0);
    double const limit = std::ceil(static_cast<double>(p) * 0x1p32);
    bool const all = limit > 0xffffffffp0;  // dropped
    auto const least = static_cast<std::uint32_t>(all ? 0 : limit);
    T const scale = all ? T{0} : T{1} / (T{1} - p);
    parallel_blocks(y.size(), elements_per_task, [=](Index begin, Index end) {
      for (Index i = begin; i < end; i += words) {
        std::uint32_t word[words];
        philox_words(random, static_cast<std::uint64_t>(i), word);
        Index const count = std::min<Index>(words, end - i);
        T const* const from = x.data + i;
        T* const to = y.data + i;
        if (accumulate) {
          GRAFT_SIMD
          for (Index j = 0; j < count; ++j) to[j] += from[j] * (scale * one_if<T>(word[j] >= least));
        } else {
          GRAFT_SIMD
          for (Index j = 0; j < count; ++j) to[j] = from[j] * (scale * one_if<T>(word[j] >= least));
        }
      }
    });
  }
};

}  // namespace graft::detail
