// SPDX-License-Identifier: Apache-2.0
#include <graft/io/started_model.hpp>

#include <graft/io/build_model.hpp>
#include <graft/io/peft.hpp>
#include <graft/model/llama.hpp>

#include <doctest/doctest.h>
#include <support/hf_directory.hpp>
#include <support/message_of.hpp>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

using namespace graft;
using namespace graft::test;

namespace {

double largest_difference(std::vector<double> const& a, std::vector<double> const& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

/// Log-probabilities of the model in a directory, with a PEFT adapter.
std::vector<double> with_adapter(std::filesystem::path const& model, std::filesystem::path const& adapter) {
  auto const files = open_model(model);
  Reference backend;
  auto built = build_model<Llama, float>(files, read_peft_config(adapter), backend);
  load_peft(*built, adapter);
  return logprobs(*built);
}

std::vector<double> alone(std::filesystem::path const& model) {
  auto const files = open_model(model);
  Reference backend;
  auto built = build_model<Llama, float>(files, Frozen{}, backend);
  return logprobs(*built);
}

void never(std::span<float>, std::vector<Index> const&) { FAIL("nothing is to be quantised"); }

}  // namespace

TEST_CASE("started model: base and adapter of PiSSA and OLoRA are the model; the base alone is another") {
  HfDirectory<Llama> const model(tiny_config());
  TemporaryDirectory const folder;
  auto const files = open_model(model.path());
  auto const expected = alone(model.path());
  for (char const* start : {"pissa", "olora", "pissa_niter_3"}) {
    Lora const lora{.rank = 3, .alpha = 9, .target_modules = {"q_proj", "down_proj"}, .rank_pattern = {{"down_proj", 2}}};
    StartedModel const started(files, lora, low_rank_start_named(start), never);
    CHECK(started.adapted_modules().size() == static_cast<std::size_t>(2 * files.config.num_hidden_layers));
    save_model(started, files, folder / start / "base", Storage::f32);
    started.save_adapter(folder / start / "adapter", "base");
    CHECK(read_peft_config(folder / start / "adapter").rank_pattern == lora.rank_pattern);
    CHECK(largest_difference(with_adapter(folder / start / "base", folder / start / "adapter"), expected) < 1e-5);
    CHECK(largest_difference(alone(folder / start / "base"), expected) > 1e-3);
  }
}

TEST_CASE("started model: LoftQ on nf4 is nearer to the model than nf4, as a checkpoint in two passes") {
  HfDirectory<Llama> const model(tiny_config());
  TemporaryDirectory const folder;
  auto const files = open_model(model.path());
  auto const expected = alone(model.path());
  FourBit const nf4{Storage::nf4, 64, true};
  auto options = low_rank_start_named("loftq");
  options.loftq_iterations = 3;
  StartedModel const started(files, {.rank = 4, .alpha = 8}, options, [&](std::span<float> values, std::vector<Index> const& shape) {
    auto const encoded = encode_4bit(nf4, values, shape);
    decode_rows(encoded.matrix(), 0, shape[0], MatrixView<float>(values.data(), shape[0], shape[1]));
  });
  save_quantized(started, files, folder / "base", &nf4, Storage::f32);
  started.save_adapter(folder / "adapter", "base");
  save_quantized(StoredModel(files), files, folder / "plain", &nf4, Storage::f32);
  double const plain = largest_difference(alone(folder / "plain"), expected);
  CHECK(plain > 1e-3);
  CHECK(largest_difference(with_adapter(folder / "base", folder / "adapter"), expected) < 0.7 * plain);
}

TEST_CASE("started model: a target that is no module, a rank that a weight has not, are refused by name") {
  HfDirectory<Llama> const model(tiny_config());
  auto const files = open_model(model.path());
  auto const options = low_rank_start_named("pissa");
  CHECK(message_of([&] { StartedModel(files, {.rank = 2, .target_modules = {"query"}}, options, never); }).find("\"query\" matches no linear module") !=
        std::string::npos);
  StartedModel const started(files, {.rank = 1000, .target_modules = {"q_proj"}}, options, never);
  auto const& weights = started.weights();
  auto const q = std::find_if(weights.begin(), weights.end(), [](auto const& w) { return w.name.ends_with("layers.0.self_attn.q_proj.weight"); });
  REQUIRE(q != weights.end());
  std::vector<float> values(static_cast<std::size_t>(q->shape[0] * q->shape[1]));
  auto const message = message_of([&] { started.download_weight(static_cast<std::size_t>(q - weights.begin()), true, values); });
  CHECK(message.find("q_proj.weight") != std::string::npos);
  CHECK(message.find("rank=1000") != std::string::npos);
}
