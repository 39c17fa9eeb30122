// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/view.hpp>

#include <string>
#include <vector>

namespace graft {

/// A tensor that training changes, as optimizers, checkpoints and clipping see it: the seam between model and optimizer.
/// `value` and `grad` are contiguous and live in backend memory. A vector of n elements has shape {n} and the view (1, n).
template <Scalar T>
struct Param {
  std::string name;          ///< its full name, for example model.layers.0.self_attn.q_proj.lora_A.weight
  std::vector<Index> shape;  ///< as in files; {n} for a vector
  Out<T> value;
  Out<T> grad;
  bool decay = true;  ///< takes weight decay (matrices do; biases and norm gains do not)
};

template <Scalar T>
using Params = std::vector<Param<T>>;

template <Scalar T>
[[nodiscard]] Index count_elements(Params<T> const& params) {
  Index total = 0;
  for (auto const& param : params) total += param.value.size();
  return total;
}

}  // namespace graft
