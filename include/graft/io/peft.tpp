// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/io/peft.hpp>

#include <graft/config.hpp>

#include <algorithm>

namespace graft {

namespace detail {

GRAFT_INLINE std::string peft_key(std::string const& parameter, std::vector<std::string> const& adapted) {
  std::string const prefix = "base_model.model.";
  if (parameter.ends_with(".bias")) {
    std::string const module = parameter.substr(0, parameter.size() - 5);
    if (std::find(adapted.begin(), adapted.end(), module) != adapted.end()) return prefix + module + ".base_layer.bias";
  }
  return prefix + parameter;
}

}  // namespace detail

}  // namespace graft
