// SPDX-License-Identifier: Apache-2.0
#include <graft/model/any_transformer.hpp>

#include <graft/adapter/lora.hpp>
#include <graft/backend/reference.hpp>
#include <graft/model/gemma3.hpp>
#include <graft/model/kv_cache.hpp>
#include <graft/model/llama.hpp>
#include <graft/optim/clip.hpp>

#include <support/module_bench.hpp>
#include <support/tiny_model.hpp>

#include <doctest/doctest.h>

using namespace graft;

namespace {

template <class Arch>
using Typed = Transformer<Arch, double, Reference, Lora>;
using Any = AnyTransformer<double, Reference, Lora>;

/// Everything that a model says and does, as numbers and names, in an order.
struct Observed {
  std::vector<double> numbers;
  std::vector<std::string> names;
  bool operator==(Observed const&) const = default;
};

template <class Model>
Observed observe(Model& model) {
  Observed seen;
  auto const note = [&](auto value) { seen.numbers.push_back(static_cast<double>(value)); };
  auto const note_stats = [&](std::span<TokenStats const> all) {
    for (auto const& s : all)
      for (double value : {s.target_logprob, s.logsumexp, s.mean_logit, s.entropy}) note(value);
  };
  auto const batch = test::random_batch(model.config(), {7, 4});
  model.set_recompute(Recompute::selective);
  model.set_dropout(9, 4);
  auto const plan = model.reserve({20, 18, 3});
  note(plan.arena_bytes);
  note(plan.flops);
  note(model.plan(BatchExtent{5, 3, 1}, {.gradient = true}).arena_bytes);
  note(model.plan(batch).flops);
  note(model.plan(batch, {}).flops);
  test::disturb(model.trainable().params);
  note_stats(model.forward(batch, {.adapters = false}));
  note_stats(model.forward(batch, {true, true, true, true}));
  auto const gradient = model.token_gradient();
  note(gradient.size());
  for (std::size_t i = 0; i < gradient.size(); ++i) gradient[i] = {-1, 0.1 * static_cast<double>(i), 0.2, 0.3};
  model.trainable().zero_grad();
  model.backward(gradient);
  note(model.pass());
  for (auto const& param : model.trainable().params) {
    seen.names.push_back(param.name);
    seen.numbers.insert(seen.numbers.end(), param.grad.data, param.grad.data + param.grad.size());
  }
  model.add_score_head({.num_labels = 2, .seed = 5});
  note(model.score_head()->num_labels);
  model.trainable().zero_grad();
  note_stats(model.forward(batch, PassOptions::step(Heads::both)));
  auto const score_gradient = model.score_gradient();
  for (std::size_t i = 0; i < score_gradient.size(); ++i) {
    note(model.scores()[i]);
    score_gradient[i] = 0.3;
  }
  model.backward(model.token_gradient(), score_gradient);
  note(grad_norm(model.trainable()));
  model.forward(batch, PassOptions::step(Heads::none));
  model.backward_hidden(model.hidden());
  note(grad_norm(model.trainable()));
  KvCache<double, Reference> cache(model.backend(), model.config(), 1, 4);
  std::vector<std::int32_t> const ids{3, 5, 1}, positions{0, 1, 2}, rows{2};
  std::vector<CacheEntry> const entries{{0, 0, 3, 3}};
  std::vector<double> logits(29);
  for (bool const adapters : {true, false}) {
    model.forward_cached(ids, positions, cache.layers(), entries, rows, adapters, logits);
    seen.numbers.insert(seen.numbers.end(), logits.begin(), logits.end());
  }
  auto const weights = model.weights();
  for (std::size_t i = 0; i < weights.size(); ++i) {
    seen.names.push_back(weights[i].name + shape_text(weights[i].shape) + (weights[i].trained ? "t" : "") + (weights[i].adapted ? "a" : ""));
    Index size = 1;
    for (Index const n : weights[i].shape) size *= n;
    std::vector<double> host(static_cast<std::size_t>(size));
    for (bool const merged : {false, true}) {
      model.download_weight(i, merged, host);
      seen.numbers.insert(seen.numbers.end(), host.begin(), host.end());
    }
  }
  for (auto const& name : model.linear_modules()) seen.names.push_back(name);
  for (auto const& name : model.adapted_modules()) seen.names.push_back(name);
  seen.names.push_back(model.config().model_type);
  note(model.adapter().rank);
  return seen;
}

}  // namespace

TEST_CASE_TEMPLATE("any_transformer: does in every member what the typed model does", Arch, Llama, Gemma3) {
  auto const config = test::tiny_config(std::string(Arch::model_types[0]));
  test::RandomWeights weights(config);
  Reference backend;
  Lora const spec{.rank = 2, .dropout = 0.2, .target_modules = {"q_proj", "down_proj"}, .modules_to_save = {"norm"}};
  auto typed = std::make_unique<Typed<Arch>>(config, spec, backend, weights.provider());
  Any any(std::make_unique<Typed<Arch>>(config, spec, backend, weights.provider()));
  Any moved(std::move(any));
  Observed const expected = observe(*typed), actual = observe(moved);
  CHECK(expected.numbers.size() > 1000);
  CHECK(actual.names == expected.names);
  CHECK((actual.numbers == expected.numbers));
  CHECK(&moved.backend() == &backend);
}
