// SPDX-License-Identifier: Apache-2.0
#include <graft/model/answer_nll.hpp>

#include <graft/adapter/frozen.hpp>
#include <graft/backend/reference.hpp>
#include <graft/model/llama.hpp>

#include <support/tiny_model.hpp>

#include <doctest/doctest.h>

using namespace graft;

TEST_CASE("answer nll: a shared beginning computed once gives what whole passes give, in pieces of any size") {
  auto const config = test::tiny_config();
  test::RandomWeights weights(config);
  Reference backend;
  Transformer<Llama, double, Reference, Frozen> model(config, {}, backend, weights.provider());
  for (std::vector<std::int32_t> const& beginning : {std::vector<std::int32_t>{}, {3, 1, 4, 1, 5, 9, 2, 6}}) {
    std::vector<PromptAnswer> items{{{7, 8}, {1, 2, 3}}, {{7}, {4}}, {{9, 10, 11}, {5, 6, 7, 8}}, {{12}, {}}};
    for (auto& item : items) item.prompt.insert(item.prompt.begin(), beginning.begin(), beginning.end());
    for (Index const tokens : {3, 16, 1000}) {
      auto const nll = answer_nll(model, items, true, tokens);
      for (std::size_t i = 0; i < items.size(); ++i) {
        TokenBatch batch;
        batch.ids = items[i].prompt;
        for (auto const id : items[i].answer) {
          batch.rows.push_back(static_cast<std::int32_t>(batch.ids.size()) - 1);
          batch.targets.push_back(id);
          batch.ids.push_back(id);
        }
        batch.cu_seqlens = {0, static_cast<std::int32_t>(batch.ids.size())};
        double expected = 0;
        for (auto const& stats : model.forward(batch)) expected -= stats.target_logprob;
        CHECK(nll[i] == doctest::Approx(expected).epsilon(1e-12));
      }
    }
  }
}
