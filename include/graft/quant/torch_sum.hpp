// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <span>

namespace graft::detail {

/// Adds up `size` vectors of N floats, `next(i)` the i-th, by torch's cascade: runs of 2^p summands are added to a
/// total one level higher, on four levels, p = max(4, ⌈log2 size⌉ / 4).
template <std::size_t N, class F>
[[nodiscard]] std::array<float, N> cascade_sum(Index size, F&& next) {
  std::array<std::array<float, N>, 4> total{};
  auto const add = [](auto& to, auto const& from) {
    for (std::size_t k = 0; k < N; ++k) to[k] += from[k];
  };
  int const power = std::max(4, static_cast<int>(std::bit_width(static_cast<std::size_t>(std::max<Index>(size, 1) - 1))) / 4);
  Index const run = Index{1} << power;
  Index i = 0;
  while (i + run <= size) {
    for (Index const end = i + run; i < end; ++i) add(total[0], next(i));
    for (int level = 1; level < 4; ++level) {
      auto const l = static_cast<std::size_t>(level);
      add(total[l], total[l - 1]);
      total[l - 1].fill(0);
      if ((i >> (level * power) & (run - 1)) != 0) break;
    }
  }
  for (; i < size; ++i) add(total[0], next(i));
  for (std::size_t level = 1; level < 4; ++level) add(total[0], total[level]);
  return total[0];
}

/// Rows of N floats, added as four interleaved sums that are joined at the end.
template <std::size_t N>
[[nodiscard]] std::array<float, N> interleaved_sum(float const* values, Index rows) {
  auto four = cascade_sum<4 * N>(rows / 4, [&](Index i) {
    std::array<float, 4 * N> group;
    std::copy_n(values + i * static_cast<Index>(4 * N), 4 * N, group.begin());
    return group;
  });
  for (Index i = rows / 4 * 4; i < rows; ++i)
    for (std::size_t k = 0; k < N; ++k) four[k] += values[i * static_cast<Index>(N) + static_cast<Index>(k)];
  std::array<float, N> sum;
  for (std::size_t k = 0; k < N; ++k) sum[k] = ((four[k] + four[N + k]) + four[2 * N + k]) + four[3 * N + k];
  return sum;
}

/// The mean of floats with the rounding errors of torch.mean on one thread of an x86 processor, whose sum works on vectors of
/// eight. With several threads torch cuts sums of 32768 numbers or more into parts; then its last bits may differ.
[[nodiscard]] inline float torch_mean(std::span<float const> values) {
  auto const size = static_cast<Index>(values.size());
  float total = 0;
  if (size < 8) {
    total = interleaved_sum<1>(values.data(), size)[0];
  } else {
    for (Index i = size / 8 * 8; i < size; ++i) total += values[static_cast<std::size_t>(i)];
    for (float const lane : interleaved_sum<8>(values.data(), size / 8)) total += lane;
  }
  return total / static_cast<float>(size);
}

}  // namespace graft::detail
