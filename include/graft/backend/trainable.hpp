// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/param.hpp>

#include <filesystem>

namespace graft {

/// The parameters that a model trains, with the backend whose memory they live in.
template <Scalar T, class B>
struct Trainable {
  B* backend = nullptr;
  Params<T> params;
  /// Where an optimizer keeps its state: in a file of this directory (`PagedMemory`), or, if it is empty, in the backend's memory.
  std::filesystem::path page_directory = {};

  [[nodiscard]] Index elements() const { return count_elements(params); }
  void zero_grad() const {
    for (auto const& param : params)
      backend->zero(param.grad.data, static_cast<std::size_t>(param.grad.size()) * sizeof(T));
  }
};

}  // namespace graft
