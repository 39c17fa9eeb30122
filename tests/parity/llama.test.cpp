// SPDX-License-Identifier: Apache-2.0
// A tiny Llama against transformers and PEFT in float64: fixtures by tests/parity/make_llama.py.
#include <graft/adapter/frozen.hpp>
#include <graft/adapter/full_fine_tune.hpp>
#include <graft/adapter/lora.hpp>
#include <graft/io/peft.hpp>
#include <graft/optim/bind.hpp>
#include <graft/optim/sgd.hpp>

#include <support/model_fixture.hpp>

#include <doctest/doctest.h>

using namespace graft;
using namespace graft::test;
using detail::Json;

TEST_CASE("llama parity: log-probabilities, loss and the gradient of every weight equal transformers' in float64") {
  for (std::string const name : {"llama_tiny", "llama_tiny_untied", "llama_tiny_bias"}) {
    CAPTURE(name);
    check_forward_and_gradients<Llama>(Fixture(name));
  }
}

TEST_CASE("llama parity: 50 steps of AdamW and 20 of SGD on all weights follow torch") {
  Fixture const fixture("llama_tiny_untied");
  Json const runs = detail::parse_json_file(fixture.directory / "training.json", "test");
  auto model = fixture.model<double>(FullFineTune{});
  auto optimizer = bind(adamw_of(runs["adamw"]), all_decayed(model));
  auto const deviation = train(model, fixture, optimizer, runs["adamw"]);
  CHECK_MESSAGE(deviation.loss <= 1e-9, "loss deviates by ", deviation.loss);
  CHECK_MESSAGE(deviation.grad_norm <= 1e-8, "gradient norm deviates by ", deviation.grad_norm);
  auto const after = read_tensors(fixture.directory / "full_after_adamw.safetensors");
  for (auto const& param : model.trainable().params) CHECK(relative(after.at(param.name), param.value.data) < 1e-6);

  auto single = fixture.model<float>(FullFineTune{});
  auto single_optimizer = bind(adamw_of(runs["adamw"]), all_decayed(single));
  CHECK(train(single, fixture, single_optimizer, runs["adamw"]).loss <= 1e-5);
}

TEST_CASE("llama parity: PEFT's adapters load, and their outputs, gradients, training and merged weights are PEFT's") {
  struct Case {
    char const* model;
    char const* adapter;
  };
  for (auto const& [name, adapter] : {Case{"llama_tiny", "lora_all_linear"}, Case{"llama_tiny", "rslora_qv"},
                                      Case{"llama_tiny", "patterns"}, Case{"llama_tiny", "one_layer"}, Case{"llama_tiny", "excluded"},
                                      Case{"llama_tiny_untied", "lora_all_linear"}, Case{"llama_tiny_untied", "rslora_qv"},
                                      Case{"llama_tiny_untied", "modules_to_save"}, Case{"llama_tiny_bias", "bias_lora_only"},
                                      Case{"llama_tiny_bias", "bias_all"}}) {
    CAPTURE(name);
    CAPTURE(adapter);
    Fixture const fixture(name);
    auto const directory = fixture.directory / "adapters" / adapter;
    auto const expected = read_tensors(directory / "expected.safetensors");
    Json const runs = detail::parse_json_file(directory / "training.json", "test");
    auto model = fixture.model<double>(read_peft_config(directory));
    load_peft(model, directory);
    CHECK(value_and_grad(model, CrossEntropy{}, fixture.forward_batch()).value ==
          doctest::Approx(expected.at("loss")[0]).epsilon(1e-12));
    CHECK(grad_norm(model.trainable()) == doctest::Approx(expected.at("grad_norm")[0]).epsilon(1e-11));
    auto const key = [&](auto const& param) { return detail::peft_key(param.name, model.adapted_modules()); };
    for (auto const& param : model.trainable().params)
      CHECK_MESSAGE(relative(expected.at("grad." + key(param)), param.grad.data) <= 1e-9, param.name);

    auto const merged = read_tensors(directory / "merged.safetensors");
    auto const infos = model.weights();
    for (std::size_t i = 0; i < infos.size(); ++i) {
      if (merged.count(infos[i].name) == 0) continue;
      std::vector<double> values(merged.at(infos[i].name).size());
      model.download_weight(i, true, values);
      CHECK_MESSAGE(relative(merged.at(infos[i].name), values.data()) <= 1e-7, infos[i].name);
    }

    auto optimizer = bind(adamw_of(runs["adamw"]), all_decayed(model));
    auto const deviation = train(model, fixture, optimizer, runs["adamw"]);
    CHECK_MESSAGE(deviation.loss <= 1e-9, "loss deviates by ", deviation.loss);
    CHECK_MESSAGE(deviation.grad_norm <= 1e-8, "gradient norm deviates by ", deviation.grad_norm);
    for (auto const& param : model.trainable().params)
      CHECK_MESSAGE(relative(expected.at("after_adamw." + key(param)), param.value.data) <= 1e-6, param.name);

    auto again = fixture.model<double>(read_peft_config(directory));
    load_peft(again, directory);
    auto const& sgd = runs["sgd"];
    Sgd spec;
    spec.momentum = sgd["momentum"].get<double>();
    spec.nesterov = sgd["nesterov"].get<bool>();
    spec.weight_decay = sgd["weight_decay"].get<double>();
    auto sgd_optimizer = bind(spec, all_decayed(again));
    CHECK(train(again, fixture, sgd_optimizer, sgd).loss <= 1e-9);
  }
}

TEST_CASE("llama parity: rope scalings give transformers' log-probabilities, behind a short sequence in one pack") {
  Fixture const fixture("llama_tiny");
  for (std::string const kind : {"default", "linear", "llama3", "yarn", "yarn_mscale", "dynamic"}) {
    CAPTURE(kind);
    auto const directory = fixtures / "llama_rope" / kind;
    auto const expected = read_tensors(directory / "expected.safetensors");
    Fixture scaled("llama_tiny");
    scaled.config = read_hf_config(directory);
    auto model = scaled.model<double>(Frozen{});
    auto const& logits = expected.at("logits");
    auto const vocabulary = static_cast<std::size_t>(scaled.config.vocab_size);
    SafetensorsFile const file(directory / "expected.safetensors");
    auto const* ids = file.find("input_ids");
    TokenBatch batch;
    batch.ids.assign(5, 7);
    for (std::size_t i = 0; i < ids->bytes.size() / 8; ++i) {
      std::int64_t id = 0;
      std::copy_n(ids->bytes.data() + 8 * i, 8, reinterpret_cast<std::byte*>(&id));
      batch.ids.push_back(static_cast<std::int32_t>(id));
      batch.rows.push_back(static_cast<std::int32_t>(i) + 5);
      batch.targets.push_back(static_cast<std::int32_t>(i * 7 % vocabulary));
    }
    batch.cu_seqlens = {0, 5, static_cast<std::int32_t>(batch.ids.size())};
    auto const stats = model.forward(batch);
    double largest = 0;
    for (std::size_t i = 0; i < stats.size(); ++i) {
      double const logit = stats[i].target_logprob + stats[i].logsumexp;
      largest = std::max(largest, std::abs(logit - logits[i * vocabulary + static_cast<std::size_t>(batch.targets[i])]));
    }
    CHECK_MESSAGE(largest <= 1e-9, "a logit deviates by ", largest);
  }
}
