// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/adapter/concept.hpp>
#include <graft/adapter/target_modules.hpp>

namespace graft {

/// Full fine-tuning: every weight of the base is trained, in the scalar type of the model.
/// Costs weight + gradient + optimizer state for every parameter (16 bytes each with AdamW in f32).
struct FullFineTune {
  /// Parameters that stay as they are, by name, suffix or regular expression; empty: none.
  TargetModules frozen_parameters = {};

  template <Scalar T, class B>
  using Layer = NoLayer<T, B>;

  [[nodiscard]] bool targets(std::string_view) const { return false; }
  [[nodiscard]] bool trains(std::string_view parameter) const { return !frozen_parameters.matches(parameter); }
  friend bool operator==(FullFineTune const&, FullFineTune const&) = default;
};

}  // namespace graft
