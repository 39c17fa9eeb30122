// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/param.hpp>

namespace graft {

/// The parameters that a model trains, with the backend whose memory they live in.
template <Scalar T, class B>
struct Trainable {
  B* backend = nullptr;
  Params<T> params;

  [[nodiscard]] Index elements() const { return count_elements(params); }
  void zero_grad() const {
    for (auto const& param : params)
      backend->zero(param.grad.data, static_cast<std::size_t>(param.grad.size()) * sizeof(T));
  }
};

}  // namespace graft
