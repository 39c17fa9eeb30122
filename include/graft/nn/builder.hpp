// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/adapter/concept.hpp>
#include <graft/nn/weight.hpp>

#include <memory>
#include <string>
#include <vector>

namespace graft {

/// What modules are built from: where they live, where their weights come from, and what adapts them.
template <Scalar T, class B, class A>
struct Builder {
  B& backend;
  A const& adapter;
  WeightProvider const& weights;
  double norm_offset = 0;     ///< added to the gains of RMS norms
  Index modules = 0;          ///< linear modules built so far: numbers them
  std::vector<std::string> adapted = {};  ///< names of the modules that got an adapter layer

  /// The weight `name`, which must have `shape`. It is trained if the adapter says so.
  [[nodiscard]] Weight<T, B> weight(std::string const& name, std::vector<Index> const& shape, double offset = 0) {
    HostTensor tensor = weights.get(name);
    if constexpr (requires { B::computes_nothing; })
      if (tensor.shape.empty()) tensor.shape = shape;  // planned_weights: there is no file
    require(tensor.shape == shape, "model", "the weight ", name, " has shape ", shape_text(tensor.shape),
            ", but the configuration asks for ", shape_text(shape));
    return Weight<T, B>(backend, name, tensor, trains_base_parameter(adapter, name), offset);
  }
  /// The same if `present`, else an absent weight; a file that has it nevertheless is refused by the strict loader.
  [[nodiscard]] Weight<T, B> weight_if(bool present, std::string const& name, std::vector<Index> const& shape) {
    return present ? weight(name, shape) : Weight<T, B>();
  }
};

}  // namespace graft
