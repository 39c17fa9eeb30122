// SPDX-License-Identifier: Apache-2.0
// A tiny model as author and judge, and a program as judge.
#include <graft/train/model_feedback.hpp>

#include <graft/adapter/lora.hpp>
#include <graft/backend/reference.hpp>
#include <graft/model/llama.hpp>
#include <graft/text/byte_level_spec.hpp>
#include <support/module_bench.hpp>
#include <support/tiny_model.hpp>

#include <doctest/doctest.h>

using namespace graft;

namespace {

using Model = Transformer<Llama, double, Reference, Lora>;

struct Case {
  Case() { test::disturb(model.trainable().params); }
  [[nodiscard]] static ModelConfig config() {
    auto config = test::tiny_config();
    config.vocab_size = id_count(byte_level_spec());
    config.max_position_embeddings = 2048;
    return config;
  }
  test::RandomWeights weights{config()};
  Reference backend;
  Model model{config(), Lora{.rank = 2}, backend, weights.provider()};
  Tokenizer tokenizer{byte_level_spec()};
  ChatFormat format = ChatFormat::named("chatml");
  Constitution constitution{"c", {{"plain", "What is wrong?", "Write it again.", "Which is plainer?"}}};
  std::vector<Message> prompt{{"user", "Hello"}};
  std::vector<Comparison> comparisons{{&prompt, "yes", "no", &constitution.principles[0]}, {&prompt, "maybe", "no", &constitution.principles[0]}};
};

}  // namespace

TEST_CASE("model_feedback: log-odds are those of the letters behind the rendered question, however it is cut, with the adapter off") {
  Case c;
  ModelFeedback<Model>::Options options;
  ModelFeedback judge(c.model, c.tokenizer, c.format, options);
  static_assert(Judge<decltype(judge)> && Author<decltype(judge)>);
  auto const verdicts = judge.compare(c.comparisons);
  options.tokens_per_batch = 1;
  CHECK(ModelFeedback(c.model, c.tokenizer, c.format, options).compare(c.comparisons)[1].log_odds == verdicts[1].log_odds);
  std::vector<Message> const chat{{"user", "Which is plainer?\n\nConversation:\nuser: Hello\n\nAnswer A: maybe\n\nAnswer B: no\n\n" + options.answer_question}};
  auto const ids = encode_chat(c.tokenizer, c.format, chat, {.add_generation_prompt = true}).ids;
  auto const logprob = [&](std::int32_t letter, bool adapters) {
    TokenBatch batch;
    batch.ids = ids;
    batch.cu_seqlens = {0, static_cast<std::int32_t>(ids.size())};
    batch.rows = {static_cast<std::int32_t>(ids.size()) - 1};
    batch.targets = {letter};
    return c.model.forward(batch, {.adapters = adapters}).front().target_logprob;
  };
  CHECK(verdicts[1].log_odds == doctest::Approx(logprob('A', false) - logprob('B', false)).epsilon(1e-9));
  CHECK(verdicts[0].rationale.empty());
  options.generation.adapters = true;
  CHECK(ModelFeedback(c.model, c.tokenizer, c.format, options).compare(c.comparisons)[1].log_odds ==
        doctest::Approx(logprob('A', true) - logprob('B', true)).epsilon(1e-9));
}

TEST_CASE("model_feedback: a judge that thinks first reads its letters behind its thoughts, and draws the same again") {
  Case c;
  ModelFeedback<Model>::Options options;
  options.generation.max_new_tokens = 6;
  options.generation.sampling = {.greedy = false, .seed = 3};
  options.chain_of_thought = true;
  auto const once = ModelFeedback(c.model, c.tokenizer, c.format, options).compare(c.comparisons);
  auto const again = ModelFeedback(c.model, c.tokenizer, c.format, options).compare(c.comparisons);
  options.chain_of_thought = false;
  auto const plain = ModelFeedback(c.model, c.tokenizer, c.format, options).compare(c.comparisons);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK_FALSE(once[i].rationale.empty());
    CHECK(once[i].rationale == again[i].rationale);
    CHECK(once[i].log_odds == again[i].log_odds);
    CHECK(once[i].log_odds != plain[i].log_odds);
  }
}

TEST_CASE("model_feedback: a model critiques and revises in the loop, and the records are the same again") {
  Case c;
  ModelFeedback<Model>::Options options;
  options.generation.max_new_tokens = 5;
  options.generation.sampling = {.greedy = false, .seed = 9};
  std::vector<std::vector<Message>> const prompts{c.prompt, {{"user", "Bye"}}};
  std::vector<std::string> const responses{"one", "two"};
  auto const run = [&] {
    ModelFeedback author(c.model, c.tokenizer, c.format, options);
    return revise_responses(prompts, responses, c.constitution, author, 2, 1);
  };
  auto const records = run();
  CHECK(records == run());
  REQUIRE(records.size() == 2);
  CHECK(records[0].rounds.size() == 2);
  CHECK(records[0].rounds[0].critique != records[0].rounds[1].critique);
}

TEST_CASE("model_feedback: a program judges by its reward, and counts tokens where it has a tokenizer") {
  Case c;
  RewardJudge const judge{length_penalty(0, 10), 2, &c.tokenizer};
  static_assert(Judge<RewardJudge const>);
  auto const verdicts = judge.compare(c.comparisons);  // bytes are tokens: 3 and 2, 5 and 2
  CHECK(verdicts[0].log_odds == doctest::Approx(2 * (-0.3 + 0.2)));
  CHECK(verdicts[1].log_odds == doctest::Approx(2 * (-0.5 + 0.2)));
}
