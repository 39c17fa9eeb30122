// SPDX-License-Identifier: Apache-2.0
#include <graft/adapter/lora.hpp>
#include <graft/backend/reference.hpp>
#include <graft/model/llama.hpp>
#include <graft/model/transformer.hpp>

#include <doctest/doctest.h>
#include <support/files.hpp>
#include <support/message_of.hpp>
#include <support/tiny_model.hpp>

#include <algorithm>
#include <filesystem>
#include <span>
#include <vector>

using namespace graft;

namespace {

using Model = Transformer<Llama, double, Reference, Lora>;

/// The gradients of two steps, the second with fewer tokens.
std::vector<double> gradients(Model& model) {
  std::vector<double> all;
  for (auto const& lengths : {std::vector<int>{41, 30}, std::vector<int>{9}}) {
    auto const batch = test::random_batch(model.config(), lengths);
    auto const stats = model.forward(batch, PassOptions::step());
    model.backward(std::vector<TokenStats>(stats.size(), TokenStats{.target_logprob = -1}));
    for (auto const& param : model.trainable().params)
      all.insert(all.end(), param.grad.data, param.grad.data + param.grad.size());
  }
  return all;
}

}  // namespace

TEST_CASE("Transformer: paged activations give the same bits at every saving level") {
  auto const config = test::tiny_config();
  test::RandomWeights weights(config);
  Reference backend;
  test::TemporaryDirectory folder;
  for (auto const level : {Recompute::none, Recompute::selective, Recompute::full}) {
    Model plain(config, Lora{.rank = 2}, backend, weights.provider()),
        paged(config, Lora{.rank = 2}, backend, weights.provider());
    plain.set_recompute(level);
    paged.set_recompute(level);
    CHECK(!paged.pages_activations());
    paged.page_activations(folder.path());
    CHECK(paged.pages_activations());
    CHECK(gradients(paged) == gradients(plain));
    auto const plan = paged.plan({71, 70, 2});
    CHECK(plan.paged_bytes > 0);
    CHECK(plan.paged_bytes < plan.arena_bytes);
  }
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("Transformer: activations cannot be paged to a directory that is not there") {
  auto const config = test::tiny_config();
  test::RandomWeights weights(config);
  Reference backend;
  Model model(config, Lora{.rank = 2}, backend, weights.provider());
  model.page_activations("no/such");
  CHECK(test::message_of([&] {
          model.reserve({8, 4, 1});
        }) == "[pages] cannot make a file in no/such: No such file or directory");
}
