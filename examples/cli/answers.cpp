// SPDX-License-Identifier: Apache-2.0
#include "answers.hpp"

#include <algorithm>

namespace cli {

std::vector<Answer> answer(Session& session, Prompts const& prompts, graft::GenerationOptions options,
                           std::vector<std::string> const& stop) {
  auto const& tokenizer = session.tokenizer();
  auto const first_stop = [&](std::string const& text) {
    std::size_t first = std::string::npos;
    for (auto const& end : stop) first = std::min(first, text.find(end));
    return first;
  };
  options.stop_ids = prompts.stop_ids;
  if (!stop.empty())
    options.on_token = [&](std::size_t, std::span<std::int32_t const> ids) {
      return first_stop(answer_text(tokenizer, {ids.begin(), ids.end()}, prompts.stop_ids)) != std::string::npos;
    };
  std::vector<Answer> answers;
  for (auto& generation : graft::generate(*session.model, prompts.ids, options)) {
    std::string text = answer_text(tokenizer, generation.ids, prompts.stop_ids);
    text.resize(std::min(text.size(), first_stop(text)));
    answers.push_back({std::move(text), std::move(generation.ids), generation.answer_nll});
  }
  return answers;
}

}  // namespace cli
