// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/argument.hpp>
#include <graft/backend/cpu/elementwise.hpp>

#include <cmath>
#include <cstdint>
#include <span>

namespace graft::detail {

/// Rotary position embedding (Su et al., "RoFormer", 2021) of the pairs (i, i + D/2).
struct CpuRope {
  template <Scalar T>
  void rope_tables(std::int32_t const* positions, std::span<double const> frequencies, ValueArg<T> factor, Out<T> cos,
                   std::type_identity_t<Out<T>> sin) {
    assert(static_cast<Index>(frequencies.size()) == cos.cols && sin.rows == cos.rows && sin.cols == cos.cols);
    // A sine costs as much as some 20 plain elements.
    parallel_row_blocks(cos.rows, 20 * cos.cols, [&](Index begin, Index end) {
      for (Index t = begin; t < end; ++t)
        for (Index i = 0; i < cos.cols; ++i) {
          double const angle = positions[t] * frequencies[static_cast<std::size_t>(i)];
          cos.row(t)[i] = static_cast<T>(std::cos(angle) * static_cast<double>(factor));
          sin.row(t)[i] = static_cast<T>(std::sin(angle) * static_cast<double>(factor));
        }
    });
  }

  template <Scalar T>
  void rope(Out<T> x, Index heads, InArg<T> cos, InArg<T> sin, bool inverse) {
    assert(heads > 0 && x.cols % heads == 0 && 2 * cos.cols <= x.cols / heads && cos.rows == x.rows);
    Index const dim = x.cols / heads, half = cos.cols;
    T const sign = inverse ? T{-1} : T{1};
    parallel_row_blocks(x.rows, x.cols, [&](Index begin, Index end) {
      for (Index t = begin; t < end; ++t) {
        T const *const c = cos.row(t), *const s = sin.row(t);
        for (Index h = 0; h < heads; ++h) {
          T *const first = x.row(t) + h * dim, *const second = first + half;
          GRAFT_SIMD
          for (Index i = 0; i < half; ++i) {
            T const a = first[i], b = second[i], turn = sign * s[i];
            first[i] = a * c[i] - b * turn;
            second[i] = b * c[i] + a * turn;
          }
        }
      }
    });
  }
};

}  // namespace graft::detail
