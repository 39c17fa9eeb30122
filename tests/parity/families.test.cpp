// SPDX-License-Identifier: Apache-2.0
// Tiny models of the other families against transformers and PEFT in float64: fixtures by tests/parity/make_families.py.
#include <graft/adapter/full_fine_tune.hpp>
#include <graft/adapter/lora.hpp>
#include <graft/io/peft.hpp>
#include <graft/model/gemma3.hpp>
#include <graft/model/gpt2.hpp>
#include <graft/model/qwen2.hpp>
#include <graft/model/qwen3.hpp>
#include <graft/model/smollm3.hpp>
#include <graft/optim/bind.hpp>

#include <support/model_fixture.hpp>

#include <doctest/doctest.h>

using namespace graft;
using namespace graft::test;

namespace {

/// What the fixture's run decays: everything, or as by default no vectors.
template <class Model>
auto decayed_as(Json const& run, Model const& model) {
  return run.value("decay_vectors", true) ? all_decayed(model) : model.trainable();
}

template <class Arch>
void check_training(Fixture const& fixture) {
  Json const runs = detail::parse_json_file(fixture.directory / "training.json", "test");
  auto model = fixture.model<double, Arch>(FullFineTune{});
  auto optimizer = bind(adamw_of(runs["adamw"]), decayed_as(runs["adamw"], model));
  auto const deviation = train(model, fixture, optimizer, runs["adamw"]);
  CHECK_MESSAGE(deviation.loss <= 1e-9, "loss deviates by ", deviation.loss);
  CHECK_MESSAGE(deviation.grad_norm <= 1e-8, "gradient norm deviates by ", deviation.grad_norm);
  auto single = fixture.model<float, Arch>(FullFineTune{});
  auto single_optimizer = bind(adamw_of(runs["adamw"]), decayed_as(runs["adamw"], single));
  auto const in_f32 = train(single, fixture, single_optimizer, runs["adamw"]);
  CHECK_MESSAGE(in_f32.loss <= 1e-5, "in f32 the loss deviates by ", in_f32.loss);
}

template <class Arch>
void check_adapter(Fixture const& fixture) {
  auto const directory = fixture.directory / "adapters" / "lora_all_linear";
  auto const expected = read_tensors(directory / "expected.safetensors");
  Json const runs = detail::parse_json_file(directory / "training.json", "test");
  auto model = fixture.model<double, Arch>(read_peft_config(directory));
  load_peft(model, directory);
  CHECK(value_and_grad(model, CrossEntropy{}, fixture.forward_batch()).value ==
        doctest::Approx(expected.at("loss")[0]).epsilon(1e-12));
  for (auto const& param : model.trainable().params)
    CHECK_MESSAGE(relative(expected.at("grad." + detail::peft_key(param.name, model.adapted_modules())), param.grad.data) <= 1e-9,
                  param.name);
  auto optimizer = bind(adamw_of(runs["adamw"]), all_decayed(model));
  auto const deviation = train(model, fixture, optimizer, runs["adamw"]);
  CHECK_MESSAGE(deviation.loss <= 1e-9, "loss deviates by ", deviation.loss);
}

template <class Arch>
void check_family(std::string const& name) {
  CAPTURE(name);
  Fixture const fixture(name);
  check_forward_and_gradients<Arch>(fixture);
  check_training<Arch>(fixture);
  check_adapter<Arch>(fixture);
}

}  // namespace

TEST_CASE("family parity: Qwen2, biases on q, k and v") { check_family<Qwen2>("qwen2_tiny"); }
TEST_CASE("family parity: Qwen3, norms of q and k, a head width of its own") { check_family<Qwen3>("qwen3_tiny"); }
TEST_CASE("family parity: Mistral, a sliding window") { check_family<Llama>("mistral_tiny"); }
TEST_CASE("family parity: Gemma 3, local and global layers, two rope bases, post-norms, scaled embedding") {
  check_family<Gemma3>("gemma3_tiny");
}
TEST_CASE("family parity: GPT-2, LayerNorm, learned positions, one product for q, k and v, (in, out) matrices") {
  check_family<Gpt2>("gpt2_tiny");
}
TEST_CASE("family parity: SmolLM3, a layer without rope") { check_family<SmolLm3>("smollm3_tiny"); }
