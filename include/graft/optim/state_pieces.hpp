// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/trainable.hpp>
#include <graft/core/pages.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace graft {

/// Elements of a parameter that a step of an optimizer with paged state updates at a time: what of the state is in memory then.
inline constexpr Index paged_state_piece = Index{1} << 20;

namespace detail {

/// Elements [begin, end) of parameter `param`.
struct StatePiece {
  std::size_t param;
  Index begin, end;
};

/// The parameters in order, whole or, where the state is paged, cut into pieces.
template <Scalar T, class B>
[[nodiscard]] std::vector<StatePiece> state_pieces(Trainable<T, B> const& trainable) {
  std::vector<StatePiece> pieces;
  for (std::size_t i = 0; i < trainable.params.size(); ++i) {
    Index const size = trainable.params[i].value.size(),
                step = trainable.page_directory.empty() ? std::max<Index>(size, 1) : paged_state_piece;
    for (Index begin = 0; begin < size; begin += step) pieces.push_back({i, begin, std::min(size, begin + step)});
  }
  return pieces;
}

/// Calls update(piece) for each. Where the state is paged, each_part(piece, f) calls f for the parts of it that belong to a piece:
/// those of the next one are asked for before, those of this one leave memory afterwards.
template <class EachPart, class F>
void update_pieces(std::span<StatePiece const> pieces, bool paged, EachPart const& each_part, F const& update) {
  for (std::size_t k = 0; k < pieces.size(); ++k) {
    if (paged && k + 1 < pieces.size()) each_part(pieces[k + 1], want_pages);
    update(pieces[k]);
    if (paged) each_part(pieces[k], drop_pages);
  }
}

}  // namespace detail
}  // namespace graft
