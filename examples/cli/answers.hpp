// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "prompts.hpp"

#include <graft/model/generate.hpp>

#include <string>
#include <vector>

namespace cli {

struct Answer {
  std::string text;
  std::vector<std::int32_t> ids;
  double reference_nll = 0;  ///< of the answer in `GenerationOptions::answers`
};

/// Continues all prompts. An answer also ends where one of `stop` appears in its text; the text is cut there.
[[nodiscard]] std::vector<Answer> answer(Session& session, Prompts const& prompts, graft::GenerationOptions options,
                                         std::vector<std::string> const& stop = {});

}  // namespace cli
