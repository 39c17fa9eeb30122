// SPDX-License-Identifier: Apache-2.0
#include "prompts.hpp"

#include <graft/data/line_errors.hpp>
#include <graft/data/line_reader.hpp>
#include <graft/data/record.hpp>
#include <graft/text/encode_chat.hpp>

#include <algorithm>

namespace cli {

Prompts read_prompts(std::string const& path, Session const& session, ModelFlags const& flags) {
  auto const& tokenizer = session.tokenizer();
  std::optional<graft::ChatFormat> format = chosen_format(flags, tokenizer);
  Prompts prompts;
  graft::LineReader reader(path, {});
  graft::LineErrors errors(path);
  std::set<std::string> ignored;
  std::string line;
  while (!errors.full() && reader.next(line)) {
    if (graft::is_blank(line)) continue;
    try {
      auto const prompt = graft::parse_prompt(line, {}, ignored);
      if (auto const* text = std::get_if<std::string>(&prompt)) {
        prompts.ids.push_back(tokenizer.encode(*text, {.add_special = true}));
        if (tokenizer.spec().add_eos) prompts.ids.back().pop_back();
      } else {
        if (!format) format = graft::ChatFormat::recognise(tokenizer.spec());
        auto const& messages = std::get<std::vector<graft::Message>>(prompt);
        prompts.ids.push_back(graft::encode_chat(tokenizer, *format, messages, {.add_generation_prompt = true}).ids);
      }
      graft::require(!prompts.ids.back().empty(), "data", "the prompt is empty");
    } catch (graft::Error const& error) {
      errors.add(reader.line_number(), error);
    }
  }
  errors.report();
  graft::require(!prompts.ids.empty(), "data", path, " has no records");
  prompts.stop_ids = stop_ids(session, format ? &*format : nullptr);
  prompts.format = std::move(format);
  return prompts;
}

std::string answer_text(graft::Tokenizer const& tokenizer, std::vector<std::int32_t> const& ids,
                        std::vector<std::int32_t> const& stop_ids) {
  std::span<std::int32_t const> answer(ids);
  if (!answer.empty() && std::find(stop_ids.begin(), stop_ids.end(), answer.back()) != stop_ids.end())
    answer = answer.first(answer.size() - 1);
  return tokenizer.decode(answer, {.skip_special = true, .invalid_utf8 = graft::InvalidUtf8::replace});
}

}  // namespace cli
