// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/io/model_files.hpp>
#include <graft/model/transformer.hpp>

#include <algorithm>
#include <memory>
#include <utility>

namespace graft {

namespace detail {

/// The configuration of `files`, if it is one of architecture `Arch`.
template <class Arch>
[[nodiscard]] ModelConfig const& checked_config(ModelFiles const& files) {
  auto const& types = Arch::model_types;
  require(std::find(types.begin(), types.end(), files.config.model_type) != types.end(), "model", files.path.string(),
          " is a model of type ", files.config.model_type, ", not of type ", types.front());
  return files.config;
}

}  // namespace detail

/// Builds the model of `files` as architecture `Arch`. Errors: it is another architecture; a weight that is missing, has
/// another shape or is left over.
template <class Arch, Scalar T, class B, class A>
[[nodiscard]] std::unique_ptr<Transformer<Arch, T, B, A>> build_model(ModelFiles const& files, A adapter, B& backend) {
  StrictWeights weights(files);
  auto model = std::make_unique<Transformer<Arch, T, B, A>>(detail::checked_config<Arch>(files), std::move(adapter), backend,
                                                            weights.provider());
  weights.check_all_used();
  files.weights->drop_pages();
  return model;
}

}  // namespace graft
