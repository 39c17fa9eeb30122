// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>

#if defined(__AVX512DQ__) && defined(__AVX512BF16__)
#define GRAFT_ROUNDS_BF16 1
#include <immintrin.h>
#endif

namespace graft {

/// to[i] = to_bf16(from[i]) for n elements, in vectors.
inline void round_to_bf16(float const* __restrict from, Index n, bf16* __restrict to) noexcept {
  Index i = 0;
#ifdef GRAFT_ROUNDS_BF16
  // The processor's conversion takes subnormal floats for zeros: such pieces go element by element.
  auto const subnormal = [](__m512 values) { return _mm512_fpclass_ps_mask(values, 0x20); };
  auto const round_piece = [&](Index end) {
    for (; i < end; ++i) to[i] = to_bf16(from[i]);
  };
  while (i + 32 <= n) {
    __m512 const low = _mm512_loadu_ps(from + i), high = _mm512_loadu_ps(from + i + 16);
    if ((subnormal(low) | subnormal(high)) != 0) {
      round_piece(i + 32);
      continue;
    }
    _mm512_storeu_si512(to + i, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)));
    i += 32;
  }
  if (i + 16 <= n) {
    __m512 const values = _mm512_loadu_ps(from + i);
    if (subnormal(values) != 0) return round_piece(n);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i), reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(values)));
    i += 16;
  }
#endif
  for (; i < n; ++i) to[i] = to_bf16(from[i]);
}

}  // namespace graft

#undef GRAFT_ROUNDS_BF16
