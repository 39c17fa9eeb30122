// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/argument.hpp>
#include <graft/backend/cpu/elementwise.hpp>
#include <graft/core/rng.hpp>

#include <cstddef>
#include <cstdint>

namespace graft::detail {

/// The words first … first + 4·lanes - 1 of a Philox stream, `lanes` blocks side by side; `first` is a multiple of 4.
template <std::size_t lanes>
void philox_words(Philox random, std::uint64_t first, std::uint32_t* words) noexcept {
  std::uint32_t c[4][lanes];
  for (std::size_t i = 0; i < lanes; ++i) {
    std::uint64_t const block = first / 4 + i;
    c[0][i] = static_cast<std::uint32_t>(block);
    c[1][i] = static_cast<std::uint32_t>(block >> 32);
    c[2][i] = static_cast<std::uint32_t>(random.stream);
    c[3][i] = static_cast<std::uint32_t>(random.stream >> 32);
  }
  auto k0 = static_cast<std::uint32_t>(random.key), k1 = static_cast<std::uint32_t>(random.key >> 32);
  for (int round = 0; round < 10; ++round) {
    GRAFT_SIMD
    for (std::size_t i = 0; i < lanes; ++i) {
      std::uint64_t const p0 = std::uint64_t{0xD2511F53u} * c[0][i];
      std::uint64_t const p1 = std::uint64_t{0xCD9E8D57u} * c[2][i];
      c[0][i] = static_cast<std::uint32_t>(p1 >> 32) ^ c[1][i] ^ k0;
      c[1][i] = static_cast<std::uint32_t>(p1);
      c[2][i] = static_cast<std::uint32_t>(p0 >> 32) ^ c[3][i] ^ k1;
      c[3][i] = static_cast<std::uint32_t>(p0);
    }
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  for (std::size_t i = 0; i < lanes; ++i)
    for (std::size_t w = 0; w < 4; ++w) words[4 * i + w] = c[w][i];
}

struct CpuDropout {
  template <Scalar T>
  void dropout(InArg<T> x, ValueArg<T> p, Philox random, bool accumulate, Out<T> y) {
    assert(x.contiguous() && y.contiguous() && x.size() == y.size());
    constexpr std::size_t lanes = 16;
    constexpr Index words = 4 * lanes;
    static_assert(elements_per_task % words == 0);
    double const limit = std::ceil(static_cast<double>(p) * 0x1p32);
    bool const all = limit > 0xffffffffp0;  // dropped
    auto const least = static_cast<std::uint32_t>(all ? 0 : limit);
    T const scale = all ? T{0} : T{1} / (T{1} - p);
    parallel_blocks(y.size(), elements_per_task, [&](Index begin, Index end) {
      for (Index i = begin; i < end; i += words) {
        std::uint32_t word[words];
        philox_words<lanes>(random, static_cast<std::uint64_t>(i), word);
        Index const count = std::min<Index>(words, end - i);
        T const* const from = x.data + i;
        T* const to = y.data + i;
        GRAFT_SIMD
        for (Index j = 0; j < count; ++j) {
          T const value = from[j] * (word[j] >= least ? scale : T{0});
          to[j] = accumulate ? to[j] + value : value;
        }
      }
    });
  }
};

}  // namespace graft::detail
