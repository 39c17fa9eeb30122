// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/core/scalar.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace graft {

/// Whether the regular expression (ECMAScript) matches the whole name. Error: [tag] it is not one.
[[nodiscard]] bool matches_whole(std::string_view name, std::string const& expression, std::string_view tag);

/// PEFT's rule for keys of rank_pattern and alpha_pattern: the key, a regular expression, is the name or its end after a dot.
[[nodiscard]] bool matches_pattern_key(std::string_view module, std::string const& key, std::string_view tag);

/// PEFT's rule for the layer that a module is in: with `patterns`, the number after the first ".pattern." that fits, else
/// the first part that is a number, has two parts before it and one after it. model.layers.3.mlp.up_proj → 3.
[[nodiscard]] std::optional<Index> layer_of_module(std::string_view module, std::vector<std::string> const& patterns);

/// PEFT's rule for modules_to_save: `module` is named so, ends so after a dot, or lies within such a module.
[[nodiscard]] bool lies_within(std::string_view module, std::string_view name);

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/adapter/module_pattern.tpp>
#endif
