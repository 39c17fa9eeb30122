// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/adapter/lora.hpp>

#include <graft/adapter/target_modules.hpp>
#include <graft/config.hpp>
#include <graft/core/error.hpp>

#include <algorithm>

namespace graft {

GRAFT_INLINE bool Lora::saves(std::string_view module) const {
  return std::any_of(modules_to_save.begin(), modules_to_save.end(),
                     [&](auto const& saved) { return lies_within(module, saved); });
}

GRAFT_INLINE bool Lora::targets(std::string_view module) const {
  if (!target_modules.matches(module) || exclude_modules.matches(module) || saves(module)) return false;
  if (layers_to_transform.empty()) return true;
  auto const layer = layer_of_module(module, layers_pattern);
  return layer &&
         std::find(layers_to_transform.begin(), layers_to_transform.end(), *layer) != layers_to_transform.end();
}

GRAFT_INLINE Lora Lora::for_module(std::string_view module) const {
  Lora own = *this;
  auto const choose = [&](auto const& pattern, auto& value, std::string_view tag) {
    for (auto const& [key, other] : pattern)
      if (matches_pattern_key(module, key, tag)) {
        value = other;
        return;
      }
  };
  choose(rank_pattern, own.rank, "rank_pattern");
  choose(alpha_pattern, own.alpha, "alpha_pattern");
  return own;
}

GRAFT_INLINE void Lora::check(std::vector<std::string> const& adapted) const {
  auto const check_keys = [&](auto const& pattern, std::string_view tag) {
    for (auto const& entry : pattern)
      require(std::any_of(adapted.begin(), adapted.end(),
                          [&](auto const& module) { return matches_pattern_key(module, entry.first, tag); }),
              tag, "\"", entry.first, "\" matches none of the adapted modules");
  };
  check_keys(rank_pattern, "rank_pattern");
  check_keys(alpha_pattern, "alpha_pattern");
  for (Index const layer : layers_to_transform)
    require(std::any_of(adapted.begin(), adapted.end(),
                        [&](auto const& module) { return layer_of_module(module, layers_pattern) == layer; }),
            "layers_to_transform", "layer ", layer, " has none of the adapted modules");
}

GRAFT_INLINE bool Lora::trains(std::string_view parameter) const {
  auto const dot = parameter.rfind('.');
  std::string_view const module = parameter.substr(0, dot == std::string_view::npos ? 0 : dot);
  if (saves(module)) return true;
  if (!parameter.ends_with(".bias")) return false;
  return bias == TrainBias::all || (bias == TrainBias::lora_only && targets(module));
}

}  // namespace graft
