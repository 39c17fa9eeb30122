// SPDX-License-Identifier: Apache-2.0
// The snippets of docs/constitutional.md, and what judges and authors must and must not be. Compiling is the test.
#include <graft/adapter/lora.hpp>
#include <graft/backend/reference.hpp>
#include <graft/data/reward_data.hpp>
#include <graft/io/resumable_lines.hpp>
#include <graft/model/llama.hpp>
#include <graft/train/model_feedback.hpp>
#include <graft/train/reward_model.hpp>

namespace docs_constitutional {

using namespace graft;
using Model = Transformer<Llama, float, Reference, Lora>;

static_assert(Judge<ModelFeedback<Model>> && Author<ModelFeedback<Model>>);
static_assert(Judge<RewardJudge> && !Author<RewardJudge>);
static_assert(!Judge<Reward> && !Judge<AcceptAll>);
static_assert(RolloutReward<RewardModel<Model>> && !RolloutReward<Reward>);

inline void loop(Model& model, Tokenizer const& tokenizer, ChatFormat const& format, std::vector<std::vector<Message>> const& prompts,
                 std::vector<std::string> const& responses, std::vector<std::pair<std::string, std::string>> const& pairs) {
  // docs: loop
  auto const constitution = read_constitution("constitution.json");
  ModelFeedback feedback{model, tokenizer, format, {.generation = {.max_new_tokens = 128, .adapters = false}}};
  auto const revised = revise_responses(prompts, responses, constitution, feedback, 2, 7);   // two rounds, seed 7
  auto const labels = label_preferences(prompts, pairs, constitution, feedback, 7);          // P in both orders, averaged
  // docs: end
  for (auto const& record : revised) (void)json_line(record);
  for (auto const& label : labels) (void)json_line(label);
}

// docs: judge
struct ShorterIsBetter {
  std::vector<Verdict> compare(std::span<Comparison const> comparisons) {
    std::vector<Verdict> verdicts;
    for (auto const& c : comparisons) verdicts.push_back({static_cast<double>(c.second.size()) - static_cast<double>(c.first.size())});
    return verdicts;
  }
};
static_assert(Judge<ShorterIsBetter>);
// docs: end

inline void reward_of_rollout(Model& reward_model, Rollout& rollout, Tokenizer const& tokenizer, ChatFormat const& format) {
  // docs: reward
  RewardModel const judge{&reward_model, answer_ending(tokenizer, &format)};
  rollout.rewards = judge(rollout);
  // docs: end
}

}  // namespace docs_constitutional
