// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/adapter/low_rank_svd.hpp>
#include <graft/config.hpp>
#include <graft/core/view.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace graft {

namespace detail {

/// Eigenvalues of a symmetric (n, n) matrix, ascending; its rows become the eigenvectors that belong to them.
[[nodiscard]] GRAFT_INLINE std::vector<double> symmetric_eigenvectors(std::span<double> matrix, Index n);

}  // namespace detail

/// The best approximation of w (out, in) of a rank, as `truncated_svd` gives it: b = U·Σ (out, rank), a = Vᵀ (rank, in), the largest
/// singular value first. Bits do not depend on the number of threads.
/// Without `iterations` it is exact: the eigenvectors of the smaller of w·wᵀ and wᵀ·w, in double; n³ for the smaller side n.
/// With them it is randomised: rank + 8 random directions, which so many products with w·wᵀ turn towards the leading ones; (out·in)·rank.
/// Four give the singular values of a weight to some percent of those left out.
/// Source: Halko, Martinsson and Tropp, "Finding structure with randomness", 2011, algorithms 4.4 and 5.1.
/// Error: [svd] a rank that is not in 1..min(out, in).
[[nodiscard]] GRAFT_INLINE LowRank leading_svd(In<float> w, Index rank, std::optional<Index> iterations = std::nullopt, std::uint64_t seed = 0);

/// w ≈ Q·R cut to a rank: b = Q (out, rank) from the first columns of w, orthonormal, and a = Qᵀ·w. Error: as above.
[[nodiscard]] GRAFT_INLINE LowRank leading_qr(In<float> w, Index rank);

/// rest = w - product.b·product.a, added in double.
GRAFT_INLINE void subtract_low_rank(In<float> w, LowRank const& product, Out<float> rest);

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/adapter/leading_svd.tpp>
#endif
