// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/backend_agreement.hpp"

namespace graft::test {

/// The rows of one matrix (7, N) as the arrays of a softmax state; of (6, N): without squares.
template <Scalar T>
[[nodiscard]] SoftmaxState<T> state_in(Out<T> m) {
  return {m.row(0), m.row(1), m.row(2), m.row(3), m.row(4), m.row(5), m.cols, m.rows == 7 ? m.row(6) : nullptr};
}

/// A vocabulary cut into panels of uneven widths, forward and backward; logits up to `spread`·3 apart.
template <Scalar T, class B>
void head_agrees(B& backend, Demands demands = {}) {
  Rng rng(11);
  std::vector<Index> const widths{40, 1, 300, 7};
  for (Index const tokens : {0, 1, 7, 90})
    for (double const spread : {1.0, 30.0}) {
      bool const squares = tokens != 7;
      Case<T> data;  // panels, then weighted panels, then logits again, then state, stats, gradient
      Index vocabulary = 0;
      for (Index const width : widths) {
        data.matrices.push_back(HostMatrix<T>::random(tokens, width, rng, spread));
        vocabulary += width;
      }
      std::size_t const panels = widths.size();
      for (Index const width : widths) data.matrices.push_back(HostMatrix<T>::filled(tokens, width, T{9}));
      for (std::size_t i = 0; i < panels; ++i) data.matrices.push_back(data.matrices[i]);
      data.matrices.push_back(HostMatrix<T>::filled(squares ? 7 : 6, tokens, std::numeric_limits<T>::quiet_NaN()));
      data.matrices.push_back(HostMatrix<T>::filled(tokens, squares ? 5 : 4, T{0}));
      data.matrices.push_back(HostMatrix<T>::random(tokens, 4, rng));
      data.ids.emplace_back();
      for (Index t = 0; t < tokens; ++t)
        data.ids[0].push_back(static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(vocabulary))));
      agree<T>(backend, "head, " + std::to_string(tokens) + " tokens", data, demands, [&](auto& b, Arguments<T> const& a) {
        SoftmaxState<T> const state = state_in(a.m[3 * panels]);
        Index first = 0;
        for (std::size_t i = 0; i < panels; first += widths[i++]) {
          b.softmax_panel(a.m[i], a.ids[0], first, state);
          b.softmax_panel_weighted(a.m[i], state, a.m[panels + i]);
        }
        b.token_stats(state, vocabulary, a.m[3 * panels + 1]);
        first = 0;
        for (std::size_t i = 0; i < panels; first += widths[i++])
          b.softmax_panel_backward(a.m[2 * panels + i], a.ids[0], first, vocabulary, state, a.m[3 * panels + 2]);
      });
    }
}

}  // namespace graft::test
