// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/adapter/concept.hpp>

namespace graft {

/// The model as it is: nothing is adapted and nothing is trained. For inference, evaluation and reference models.
struct Frozen {
  template <Scalar T, class B>
  using Layer = NoLayer<T, B>;

  [[nodiscard]] bool targets(std::string_view) const { return false; }
  friend bool operator==(Frozen const&, Frozen const&) = default;
};

}  // namespace graft
