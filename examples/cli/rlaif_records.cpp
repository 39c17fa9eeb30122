// SPDX-License-Identifier: Apache-2.0
#include "rlaif_records.hpp"

#include "derived_seed.hpp"
#include "prompts.hpp"

#include <graft/data/line_reader.hpp>
#include <graft/data/record.hpp>
#include <graft/io/resumable_lines.hpp>
#include <graft/text/encode_chat.hpp>
#include <graft/train/model_feedback.hpp>
#include <graft/train/rollouts.hpp>

#include <iostream>
#include <set>
#include <span>
#include <utility>

namespace cli {

using graft::Index;

Conversations read_conversations(std::string const& path, Session const& session, ModelFlags const& flags, Index longest) {
  Conversations result{{}, {}, {}, chat_format(flags, session.tokenizer())};
  result.stop_ids = stop_ids(session, &result.format);
  graft::LineReader reader(path, {});
  std::set<std::string> ignored;
  Index left_out = 0;
  for (std::string line; reader.next(line);) {
    if (graft::is_blank(line)) continue;
    try {
      auto prompt = graft::parse_prompt(line, {}, ignored);
      auto* messages = std::get_if<std::vector<graft::Message>>(&prompt);
      graft::require(messages != nullptr, "data", "the prompt must be a list of messages: feedback is asked for in a conversation");
      auto ids = graft::encode_chat(session.tokenizer(), result.format, *messages, {.add_generation_prompt = true}).ids;
      if (static_cast<Index>(ids.size()) > longest) {
        ++left_out;
        continue;
      }
      result.ids.push_back(std::move(ids));
      result.messages.push_back(std::move(*messages));
    } catch (graft::Error const& error) {
      graft::fail("data", path, ":", reader.line_number(), ": ", error.what());
    }
  }
  if (left_out > 0) std::cerr << path << ": left out " << left_out << " prompts, longer than " << longest << " tokens\n";
  graft::require(!result.ids.empty(), "data", path, " has no prompts of at most ", longest, " tokens");
  return result;
}

using ModelOpinion = graft::ModelFeedback<Model>;

static ModelOpinion model_feedback(FeedbackFlags const& flags, Session& session, graft::ChatFormat const& format, std::uint64_t seed) {
  typename ModelOpinion::Options options;
  options.generation = {.max_new_tokens = flags.feedback_tokens,
                        .sampling = {.greedy = false, .temperature = flags.temperature, .seed = seed},
                        .batch = 16,
                        .adapters = false};
  options.chain_of_thought = flags.chain_of_thought;
  options.tokens_per_batch = 1024;
  return ModelOpinion(*session.model, session.tokenizer(), format, options);
}

/// Calls f with the judge that the flags name.
template <class F>
static auto with_judge(FeedbackFlags const& flags, Session& session, graft::ChatFormat const& format, std::uint64_t seed, F&& f) {
  if (flags.judge == "model") {
    auto judge = model_feedback(flags, session, format, seed);
    return f(judge);
  }
  graft::RewardJudge judge{graft::named_reward(flags.judge), flags.judge_scale, &session.tokenizer()};
  return f(judge);
}

/// `samples` answers to each of some prompts, as text, those of a prompt together.
static std::vector<std::string> drawn_answers(FeedbackFlags const& flags, Session& session, Conversations const& prompts, Index first, Index last,
                                              Index samples, std::uint64_t seed) {
  graft::RolloutOptions const options{.samples = samples,
                                      .generation = {.max_new_tokens = flags.max_new_tokens,
                                                     .sampling = {.greedy = false, .temperature = flags.temperature, .seed = seed},
                                                     .stop_ids = prompts.stop_ids,
                                                     .batch = 16}};
  auto const chosen = std::span(prompts.ids).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(last - first));
  auto const rollout = graft::draw_rollout(*session.model, chosen, options);
  std::vector<std::string> texts;
  for (std::size_t s = 0; s < static_cast<std::size_t>(rollout.sequences()); ++s) {
    auto const ids = rollout.completion(s);
    texts.push_back(answer_text(session.tokenizer(), {ids.begin(), ids.end()}, prompts.stop_ids));
  }
  return texts;
}

void make_revisions(std::filesystem::path const& path, FeedbackFlags const& flags, Session& session, Conversations const& prompts) {
  auto const constitution = graft::read_constitution(flags.constitution);
  auto const count = static_cast<Index>(prompts.ids.size());
  graft::write_lines_in_chunks(path, count, flags.chunk, [&](Index first, Index last) {
    auto const responses = drawn_answers(flags, session, prompts, first, last, 1, derived_seed(flags.seed, 1, first));
    auto author = model_feedback(flags, session, prompts.format, derived_seed(flags.seed, 2, first));
    auto const chosen = std::span(prompts.messages).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(last - first));
    auto const records = flags.keep_better
                             ? with_judge(flags, session, prompts.format, derived_seed(flags.seed, 3, first),
                                          [&](auto& judge) {
                                            return graft::revise_responses(chosen, responses, constitution, author, flags.rounds, flags.seed, first, judge);
                                          })
                             : graft::revise_responses(chosen, responses, constitution, author, flags.rounds, flags.seed, first);
    std::vector<std::string> lines;
    for (auto const& record : records) lines.push_back(graft::json_line(record));
    std::cerr << "revised " << last << " of " << count << " answers\n";
    return lines;
  });
}

void make_preferences(std::filesystem::path const& path, FeedbackFlags const& flags, Session& session, Conversations const& prompts) {
  auto const constitution = graft::read_constitution(flags.constitution);
  auto const count = static_cast<Index>(prompts.ids.size());
  Index same_place = 0, judged = 0;
  graft::write_lines_in_chunks(path, count, flags.chunk, [&](Index first, Index last) {
    auto texts = drawn_answers(flags, session, prompts, first, last, 2, derived_seed(flags.seed, 4, first));
    std::vector<std::pair<std::string, std::string>> answers;
    for (std::size_t i = 0; i < texts.size(); i += 2) answers.emplace_back(std::move(texts[i]), std::move(texts[i + 1]));
    auto const chosen = std::span(prompts.messages).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(last - first));
    auto const labels = with_judge(flags, session, prompts.format, derived_seed(flags.seed, 5, first),
                                   [&](auto& judge) { return graft::label_preferences(chosen, answers, constitution, judge, flags.seed, first); });
    std::vector<std::string> lines;
    for (auto const& label : labels) {
      lines.push_back(graft::json_line(label));
      same_place += label.follows_position() ? 1 : 0;
      ++judged;
    }
    std::cerr << "judged " << last << " of " << count << " pairs; the judge chose the same place in both orders in " << same_place << " of " << judged << '\n';
    return lines;
  });
}

std::vector<double> judge_answers(FeedbackFlags const& flags, Session& session, Conversations const& prompts, std::vector<std::string> const& answers,
                                  std::vector<std::string> const& others) {
  auto const constitution = graft::read_constitution(flags.constitution);
  std::vector<std::pair<std::string, std::string>> pairs;
  for (std::size_t i = 0; i < answers.size(); ++i) pairs.emplace_back(answers[i], others.at(i));
  auto const labels = with_judge(flags, session, prompts.format, derived_seed(flags.seed, 6, 0),
                                 [&](auto& judge) { return graft::label_preferences(prompts.messages, pairs, constitution, judge, flags.seed); });
  std::vector<double> probabilities;
  for (auto const& label : labels) probabilities.push_back(label.probability());
  return probabilities;
}

}  // namespace cli
