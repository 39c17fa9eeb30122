// SPDX-License-Identifier: Apache-2.0
#include <graft/io/save_gguf.hpp>

#include <graft/adapter/frozen.hpp>
#include <graft/backend/reference.hpp>
#include <graft/io/build_model.hpp>
#include <graft/model/llama.hpp>
#include <graft/text/byte_level_spec.hpp>

#include <support/files.hpp>
#include <support/tiny_model.hpp>

#include <doctest/doctest.h>

using namespace graft;

namespace {

using Model = Transformer<Llama, float, Reference, Frozen>;

ModelConfig byte_config() {
  auto config = test::tiny_config();
  config.vocab_size = id_count(byte_level_spec());
  config.hidden_size = 32;  // a block of q8_0
  config.intermediate_size = 64;
  config.head_dim = 8;
  return config;
}

}  // namespace

TEST_CASE("save gguf: what is written comes back, weights to the bit, configuration and tokenizer too") {
  auto config = byte_config();
  for (bool const tied : {true, false}) {
    config.tie_word_embeddings = tied;
    test::RandomWeights weights(config);
    Reference backend;
    Model const model(config, {}, backend, weights.provider());
    test::TemporaryDirectory const folder;
    auto const path = folder.path() / "model.gguf";
    auto const spec = byte_level_spec();
    save_gguf(model, spec, path, Storage::f32);

    auto const files = open_model(path);
    CHECK(files.config.hidden_size == config.hidden_size);
    CHECK(files.config.num_key_value_heads == config.num_key_value_heads);
    CHECK(files.config.tie_word_embeddings == tied);
    CHECK(files.config.rope_theta == config.rope_theta);
    CHECK(files.tokenizer->spec().tokens == spec.tokens);
    CHECK(files.tokenizer->eos() == spec.eos);
    auto const again = build_model<Llama, float>(files, Frozen{}, backend);
    auto const infos = model.weights();
    REQUIRE(again->weights().size() == infos.size());
    for (std::size_t i = 0; i < infos.size(); ++i) {
      Index size = 1;
      for (Index const n : infos[i].shape) size *= n;
      std::vector<float> expected(static_cast<std::size_t>(size)), actual(expected.size());
      model.download_weight(i, false, expected);
      again->download_weight(i, false, actual);
      CHECK_MESSAGE(expected == actual, infos[i].name);
    }
  }
}

TEST_CASE("save gguf: blocks keep the model close, and what cannot be written is named") {
  auto config = byte_config();
  test::RandomWeights weights(config);
  Reference backend;
  Model model(config, {}, backend, weights.provider());
  test::TemporaryDirectory const folder;
  auto const path = folder.path() / "model.gguf";
  save_gguf(model, byte_level_spec(), path, Storage::q8_0);
  auto again = build_model<Llama, float>(open_model(path), Frozen{}, backend);
  auto const batch = test::random_batch(config, {9, 5});
  auto const expected = model.forward(batch);
  auto const actual = again->forward(batch);
  for (std::size_t i = 0; i < expected.size(); ++i)
    CHECK(actual[i].target_logprob == doctest::Approx(expected[i].target_logprob).epsilon(0.05));

  CHECK_THROWS_AS(save_gguf(model, byte_level_spec(), path, Storage::q6_k), Error);
  config.rope_scaling.kind = RopeScaling::Kind::linear;
  config.rope_scaling.factor = 2;
  Model const scaled(config, {}, backend, weights.provider());
  CHECK_THROWS_WITH_AS(save_gguf(scaled, byte_level_spec(), path, Storage::f32), doctest::Contains("without rope scaling"),
                       Error);
}

TEST_CASE("save gguf: a score head is refused, for it would be lost") {
  auto const config = byte_config();
  test::RandomWeights weights(config);
  Reference backend;
  Model model(config, {}, backend, weights.provider());
  model.add_score_head();
  test::TemporaryDirectory const folder;
  CHECK_THROWS_WITH_AS(save_gguf(model, byte_level_spec(), folder.path() / "m.gguf", Storage::f32),
                       "[gguf] a score head goes with its adapter, not into a whole language model: use save_peft", Error);
}

TEST_CASE("save gguf: models built from one opened file hold the same weights, rearranged rows too") {
  auto const config = byte_config();
  test::RandomWeights weights(config);
  Reference backend;
  test::TemporaryDirectory const folder;
  auto const path = folder.path() / "model.gguf";
  save_gguf(Model(config, {}, backend, weights.provider()), byte_level_spec(), path, Storage::q8_0);
  auto const files = open_model(path);
  auto const holders = [&](std::string const& name) { return files.weights->get(name).owner.use_count() - 1; };
  auto const mapping = holders("model.embed_tokens.weight");
  std::string const query = "model.layers.1.self_attn.q_proj.weight";
  auto const first = build_model<Llama, float>(files, Frozen{}, backend);
  CHECK(holders(query) == 1);
  {
    auto const second = build_model<Llama, float>(files, Frozen{}, backend);
    CHECK(holders(query) == 2);
    // Embedding, v, o, gate, up and down of three layers, and the tied head: all refer to the mapped file.
    CHECK(holders("model.embed_tokens.weight") == mapping + 2 * (1 + 3 * 5));
  }
  CHECK(holders(query) == 1);
}
