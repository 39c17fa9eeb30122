// SPDX-License-Identifier: Apache-2.0
#include <graft/train/reward_model.hpp>

#include <graft/adapter/lora.hpp>
#include <graft/backend/reference.hpp>
#include <graft/data/reward_data.hpp>
#include <graft/model/llama.hpp>
#include <graft/text/byte_level_spec.hpp>
#include <support/message_of.hpp>
#include <support/module_bench.hpp>
#include <support/tiny_model.hpp>

#include <doctest/doctest.h>

using namespace graft;

namespace {

using Model = Transformer<Llama, double, Reference, Lora>;
using Ids = std::vector<std::int32_t>;

Ids sequence(Rollout const& rollout, std::size_t s) {
  return {rollout.ids.begin() + rollout.cu_seqlens[s], rollout.ids.begin() + rollout.cu_seqlens[s + 1]};
}

}  // namespace

TEST_CASE("reward_model: a completion is read as the answers were that it learnt from, stopped or cut") {
  Tokenizer const tokenizer{byte_level_spec()};
  auto const format = ChatFormat::named("chatml");
  std::vector<Message> const prompt{{"user", "Hi"}};
  auto const asked = encode_chat(tokenizer, format, prompt, {.add_generation_prompt = true}).ids;
  auto const stop = *tokenizer.token_id("<|im_end|>");
  auto answered = prompt;
  answered.push_back({"assistant", "yes"});
  auto const learnt = AnswerTokenizer(tokenizer, format)(answered);

  Rollout rollout;
  Ids ids = tokenizer.encode("yes");
  rollout.add(asked, ids, false, 0);
  ids.push_back(stop);
  rollout.add(asked, ids, true, 1);
  ids.back() = *tokenizer.token_id(byte_level_spec().tokens[static_cast<std::size_t>(*tokenizer.spec().bos)]);
  rollout.add(asked, ids, true, 2);  // it ended with another stop token
  RewardModel<Model> const judge{nullptr, answer_ending(tokenizer, &format)};
  auto const read = judge.ended(rollout);
  for (std::size_t s = 0; s < 3; ++s) CHECK(sequence(read, s) == learnt);

  auto const text = AnswerTokenizer(tokenizer, {})("ab");
  Rollout plain;
  plain.add(Ids{text[0]}, Ids{text[1]}, false, 0);
  CHECK(sequence(RewardModel<Model>{nullptr, answer_ending(tokenizer, nullptr)}.ended(plain), 0) == text);
}

TEST_CASE("reward_model: rewards are scores of last tokens, and only a model with one score gives them") {
  auto const config = test::tiny_config();
  test::RandomWeights weights{config};
  Reference backend;
  Model model(config, Lora{.rank = 2}, backend, weights.provider());
  Rollout rollout;
  rollout.add(Ids{3, 4}, Ids{5, 6, 7}, true, 0);
  rollout.add(Ids{3}, Ids{5}, false, 1);
  RewardModel judge{&model, Ids{7, 9}};
  static_assert(RolloutReward<decltype(judge)>);
  CHECK(test::message_of([&] { (void)judge(rollout); }).find("a score head of one score: this one has 0") != std::string::npos);
  model.add_score_head({.seed = 2});
  test::disturb(model.trainable().params);
  auto const rewards = judge(rollout);
  REQUIRE(rewards.size() == 2);
  CHECK(rewards == reward_model_scores(model, judge.ended(rollout), 1));
  CHECK(sequence(judge.ended(rollout), 0) == Ids{3, 4, 5, 6, 7, 9});
  CHECK(sequence(judge.ended(rollout), 1) == Ids{3, 5, 7, 9});
  CHECK(rewards != reward_model_scores(model, rollout));
}

TEST_CASE("reward_model: rewards add up with weights, and leave out what could not be scored") {
  double const none = std::numeric_limits<double>::quiet_NaN();
  std::vector<double> sum;
  add_rewards(sum, 2, std::vector{1.0, none, none});
  add_rewards(sum, -1, std::vector{3.0, 4.0, none});
  CHECK(sum[0] == -1);
  CHECK(sum[1] == -4);
  CHECK(std::isnan(sum[2]));
  CHECK(test::message_of([&] { add_rewards(sum, 1, std::vector{1.0}); }).find("each of 3 completions: got 1") != std::string::npos);
}
