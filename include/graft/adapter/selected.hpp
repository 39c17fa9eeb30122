// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/adapter/lora.hpp>

namespace graft {

enum class Method : std::uint8_t { frozen, lora, full };

/// LoRA, full fine-tuning or nothing, chosen at run time: for programs that take the method from a flag. Costs nothing
/// where it is `frozen`. Programs that know their method name it as a type: `Lora`, `FullFineTune`, `Frozen`.
struct Selected {
  Method method = Method::frozen;
  Lora lora = {};

  template <Scalar T, class B>
  class Layer : public Lora::Layer<T, B> {
   public:
    Layer(Selected const& spec, LinearShape const& shape, B& backend) : Lora::Layer<T, B>(spec.lora, shape, backend) {}
  };

  [[nodiscard]] bool targets(std::string_view module) const { return method == Method::lora && lora.targets(module); }
  [[nodiscard]] bool trains(std::string_view parameter) const {
    return method == Method::full || (method == Method::lora && lora.trains(parameter));
  }
  void check(std::vector<std::string> const& adapted) const {
    if (method == Method::lora) lora.check(adapted);
  }
  [[nodiscard]] TargetModules const* active_target_modules() const {
    return method == Method::lora ? &lora.target_modules : nullptr;
  }
  friend bool operator==(Selected const&, Selected const&) = default;
};

}  // namespace graft
