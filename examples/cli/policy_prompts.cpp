// SPDX-License-Identifier: Apache-2.0
#include "policy_prompts.hpp"

#include <graft/data/line_reader.hpp>
#include <graft/data/record.hpp>
#include <graft/io/json_file.hpp>

#include <iostream>
#include <utility>

namespace cli {

PolicyPrompts read_policy_prompts(std::string const& path, std::string const& answer_field, Session const& session,
                                  ModelFlags const& flags, graft::Index longest) {
  PolicyPrompts result;
  result.prompts = read_prompts(path, session, flags);
  auto const all = std::exchange(result.prompts.ids, {});
  std::size_t next = 0;
  graft::LineReader reader(path, {});
  std::string line;
  while (reader.next(line)) {
    if (graft::is_blank(line)) continue;
    graft::require(next < all.size(), "data", path, " changed while it was read");
    auto const& ids = all[next++];
    if (static_cast<graft::Index>(ids.size()) > longest) continue;
    result.prompts.ids.push_back(ids);
    auto const json = graft::detail::Json::parse(line);  // read_prompts has seen to it that it is JSON
    auto const answer = json.find(answer_field);
    result.expected.push_back(answer == json.end() ? "" : answer->is_string() ? answer->get<std::string>() : answer->dump());
    result.records.push_back(line);
  }
  graft::require(next == all.size(), "data", path, " changed while it was read");
  if (auto const left_out = all.size() - result.records.size(); left_out > 0)
    std::cerr << path << ": left out " << left_out << " of " << all.size() << " prompts, longer than " << longest << " tokens\n";
  graft::require(!result.records.empty(), "data", path, ": every prompt is longer than ", longest, " tokens, which is --max-length less "
                 "--max-completion-length");
  for (auto const& ids : result.prompts.ids)
    result.texts.push_back(session.tokenizer().decode(ids, {.invalid_utf8 = graft::InvalidUtf8::replace}));
  return result;
}

std::vector<double> rewards_of(graft::Rollout const& rollout, PolicyPrompts const& prompts, graft::Reward const& reward,
                               graft::Tokenizer const& tokenizer) {
  std::vector<double> rewards;
  for (std::size_t s = 0; s < static_cast<std::size_t>(rollout.sequences()); ++s) {
    auto const record = static_cast<std::size_t>(rollout.records[s]);
    auto const ids = rollout.completion(s);
    auto const text = answer_text(tokenizer, {ids.begin(), ids.end()}, prompts.prompts.stop_ids);
    rewards.push_back(reward({.prompt = prompts.texts[record],
                              .completion = text,
                              .expected = prompts.expected[record],
                              .record = prompts.records[record],
                              .ids = ids,
                              .finished = rollout.finished[s] != 0}));
  }
  return rewards;
}

}  // namespace cli
