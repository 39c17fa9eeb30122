// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/adapter/target_modules.hpp>
#include <graft/core/error.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace graft {

/// Refuses target modules that hit nothing, in whole or by one name: a misspelled name must not train silently less.
/// `adapted` are the modules that got an adapter, `modules` all that could have.
inline void check_targets(TargetModules const& targets, std::vector<std::string> const& adapted,
                          std::vector<std::string> const& modules) {
  auto const last_part = [](std::string const& name) { return name.substr(name.rfind('.') + 1); };
  auto const known = [&] {
    std::vector<std::string> parts;
    for (auto const& module : modules)
      if (auto part = last_part(module); std::find(parts.begin(), parts.end(), part) == parts.end())
        parts.push_back(std::move(part));
    std::string text;
    for (auto const& part : parts) text += (text.empty() ? "" : ", ") + part;
    return text;
  };
  for (auto const& name : targets.names())
    require(std::any_of(modules.begin(), modules.end(), [&](auto const& module) { return matches_suffix(module, name); }),
            "target_modules", "\"", name, "\" matches no linear module of this model; it has ", known());
  require(std::any_of(modules.begin(), modules.end(), [&](auto const& module) { return targets.matches(module); }),
          "target_modules", targets.text(), " matches no linear module of this model; it has ", known());
  require(!adapted.empty(), "target_modules", targets.text(), " matches modules of this model, but other settings leave all of them out");
}

}  // namespace graft
