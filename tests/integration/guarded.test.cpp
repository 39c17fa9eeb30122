// SPDX-License-Identifier: Apache-2.0
// A whole model on a backend whose memory cannot be touched outside its own operations: what holds here holds on a device.
#include <graft/adapter/frozen.hpp>
#include <graft/adapter/full_fine_tune.hpp>
#include <graft/adapter/lora.hpp>
#include <graft/backend/reference.hpp>
#include <graft/loss/cross_entropy.hpp>
#include <graft/model/gemma3.hpp>
#include <graft/model/generate.hpp>
#include <graft/model/llama.hpp>
#include <graft/optim/adamw.hpp>
#include <graft/optim/bind.hpp>
#include <graft/optim/clip.hpp>
#include <graft/train/value_and_grad.hpp>

#include <support/guarded.hpp>
#include <support/tiny_model.hpp>

#include <doctest/doctest.h>

using namespace graft;

namespace {

using Guarded = test::Guarded<Reference>;

template <class B, class Arch, class A>
std::vector<double> train_and_generate(A const& adapter, Recompute level) {
  auto config = test::tiny_config(std::string(Arch::model_types[0]));
  config.layer_is_sliding = {true, false, true};
  config.sliding_window = 4;
  test::RandomWeights weights(config);
  B backend;
  Transformer<Arch, double, B, A> model(config, adapter, backend, weights.provider());
  model.set_recompute(level);
  std::vector<double> seen;
  if constexpr (!std::is_same_v<A, Frozen>) {
    auto optimizer = bind(AdamW{.weight_decay = 0.1}, model.trainable());
    for (int step = 0; step < 3; ++step) {
      auto const batch = test::random_batch(config, {7, 4, 5}, static_cast<std::uint64_t>(step));
      seen.push_back(value_and_grad(model, CrossEntropy{.label_smoothing = 0.1, .z_loss = 1e-3}, batch).value);
      seen.push_back(clip_grad_norm(model.trainable(), 0.5));
      optimizer.step(1e-2);
    }
  }
  model.add_score_head({.seed = 3});
  auto batch = test::random_batch(config, {7, 4, 5});
  batch.rows = {6, 10, 15};
  batch.targets = {1, 2, 3};
  for (Heads const heads : {Heads::score, Heads::both}) {
    model.trainable().zero_grad();
    model.forward(batch, PassOptions::step(heads));
    seen.insert(seen.end(), model.scores().begin(), model.scores().end());
    for (auto& g : model.token_gradient()) g = {-1, 0, 0, 0};
    for (auto& g : model.score_gradient()) g = 0.5;
    model.backward(model.token_gradient(), model.score_gradient());
    seen.push_back(grad_norm(model.trainable()));
  }
  std::vector<std::vector<std::int32_t>> const prompts{{1, 2, 3}, {4, 5}, {6, 7, 8, 9, 10, 11}};
  for (auto const& generation : generate(model, prompts, {.max_new_tokens = 5}))
    for (auto const id : generation.ids) seen.push_back(id);
  auto const infos = model.weights();
  for (std::size_t i = 0; i < infos.size(); ++i) {
    Index size = 1;
    for (Index const n : infos[i].shape) size *= n;
    std::vector<double> values(static_cast<std::size_t>(size));
    model.download_weight(i, true, values);
    seen.push_back(values.back());
  }
  return seen;
}

template <class Arch, class A>
void same_on_both(A const& adapter) {
  for (auto level : {Recompute::none, Recompute::selective, Recompute::full})
    CHECK((train_and_generate<Guarded, Arch>(adapter, level)) == (train_and_generate<Reference, Arch>(adapter, level)));
}

}  // namespace

TEST_CASE("guarded: training, scoring, generation and merging of every adapter touch backend memory only through the backend") {
  same_on_both<Llama>(Lora{.rank = 3, .dropout = 0.2});
  same_on_both<Llama>(FullFineTune{});
  same_on_both<Llama>(Frozen{});
  same_on_both<Gemma3>(Lora{.rank = 3, .target_modules = {"q_proj", "down_proj"}, .modules_to_save = {"embed_tokens"}});
}
