// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "session.hpp"

#include <string>
#include <vector>

namespace cli {

/// The prompts of a JSONL file as tokens, ready to be continued, and what ends an answer.
struct Prompts {
  std::vector<std::vector<std::int32_t>> ids;
  std::vector<std::int32_t> stop_ids;
  std::optional<graft::ChatFormat> format = std::nullopt;  ///< of the conversations among them, if there are any
};

/// Reads records {"prompt": string or messages} (or {"messages": …}); keys beside them are ignored. Every bad line is
/// reported, with its number.
[[nodiscard]] Prompts read_prompts(std::string const& path, Session const& session, ModelFlags const& flags);

/// The text of new tokens without what ends them.
[[nodiscard]] std::string answer_text(graft::Tokenizer const& tokenizer, std::vector<std::int32_t> const& ids,
                                      std::vector<std::int32_t> const& stop_ids);

}  // namespace cli
