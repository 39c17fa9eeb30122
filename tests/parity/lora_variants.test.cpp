// SPDX-License-Identifier: Apache-2.0
// Dropout with given masks and several active adapters against PEFT in float64: fixtures by tests/parity/make_lora_variants.py.
#include <graft/adapter/lora.hpp>
#include <graft/io/combine_adapters.hpp>
#include <graft/io/peft.hpp>

#include <support/files.hpp>
#include <support/model_fixture.hpp>

#include <doctest/doctest.h>

using namespace graft;
using namespace graft::test;
using detail::Json;

namespace {

auto const folder = fixtures / "lora_variants";

}  // namespace

TEST_CASE("lora variants: loss and gradients under a dropout mask are PEFT's under the same mask") {
  Fixture const fixture("llama_tiny");
  auto const adapter = fixture.directory / "adapters/lora_all_linear";
  auto const expected = read_tensors(folder / "expected.safetensors");
  Json const settings = detail::parse_json_file(folder / "dropout.json", "test");
  auto lora = read_peft_config(adapter);
  lora.dropout = settings["p"].get<double>();
  auto model = fixture.model<double>(lora);
  load_peft(model, adapter);
  model.set_dropout(settings["seed"].get<std::uint64_t>(), settings["pass"].get<std::uint64_t>() - 1);
  CHECK(value_and_grad(model, CrossEntropy{}, fixture.forward_batch()).value == doctest::Approx(expected.at("dropout.loss")[0]).epsilon(1e-12));
  for (auto const& param : model.trainable().params)
    CHECK_MESSAGE(relative(expected.at("dropout.grad." + detail::peft_key(param.name, model.adapted_modules())), param.grad.data) <= 1e-9, param.name);
}

TEST_CASE("lora variants: two adapters joined by cat are PEFT's two active adapters") {
  Fixture const fixture("llama_tiny");
  auto const expected = read_tensors(folder / "expected.safetensors");
  TemporaryDirectory const made;
  combine_adapters({fixture.directory / "adapters/lora_all_linear", fixture.directory / "adapters/rslora_qv"}, {1, 1},
                   {.combination = Combination::cat}, made / "both");
  auto model = fixture.model<double>(read_peft_config(made / "both"));
  load_peft(model, made / "both");
  auto const batch = fixture.forward_batch();
  auto const stats = model.forward(batch);
  std::vector<double> ours(expected.at("active.target_logprobs").size());
  double loss = 0;
  for (std::size_t n = 0; n < stats.size(); ++n) {
    ours[static_cast<std::size_t>(batch.rows[n])] = stats[n].target_logprob;
    loss -= stats[n].target_logprob / static_cast<double>(stats.size());
  }
  CHECK(relative(expected.at("active.target_logprobs"), ours.data()) <= 1e-7);  // the joined factors are stored in F32
  CHECK(loss == doctest::Approx(expected.at("active.loss")[0]).epsilon(1e-7));
}
