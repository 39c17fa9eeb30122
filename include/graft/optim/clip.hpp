// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/trainable.hpp>
#include <graft/config.hpp>
#include <graft/core/error.hpp>

#include <cmath>

namespace graft {

namespace detail {

template <Scalar T>
struct ScaleInPlace {
  T factor;
  GRAFT_HOST_DEVICE void operator()(T& value) const { value *= factor; }
};

}  // namespace detail

/// √ Σ g² over all gradients, summed in double; not finite when a gradient is not.
template <Scalar T, class B>
[[nodiscard]] double grad_norm(Trainable<T, B> const& trainable) {
  double sum = 0;
  for (auto const& param : trainable.params) sum += trainable.backend->sum_of_squares(In<T>(param.grad));
  return std::sqrt(sum);
}

/// Scales all gradients by min(1, max_norm / (norm + 1e-6)), torch's clip_grad_norm_, and returns the norm before it.
/// A norm that is not finite is returned as it is and leaves the gradients alone: the caller decides whether to stop.
/// max_norm = infinity only measures. Errors: [clip] for a max_norm that is not positive.
template <Scalar T, class B>
double clip_grad_norm(Trainable<T, B> const& trainable, double max_norm) {
  require(max_norm > 0, "clip", "max_norm must be positive (infinity: measure only): got ", max_norm);
  double const norm = grad_norm(trainable);
  double const factor = max_norm / (norm + 1e-6);
  if (std::isfinite(norm) && factor < 1)
    for (auto const& param : trainable.params)
      trainable.backend->map(param.grad.size(), detail::ScaleInPlace<T>{static_cast<T>(factor)}, param.grad.data);
  return norm;
}

}  // namespace graft
