// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/rng.hpp>
#include <graft/io/build_model.hpp>
#include <graft/io/model_files.hpp>
#include <graft/loss/token_batch.hpp>
#include <graft/model/llama.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace graft::bench {

/// The sizes of SmolLM2-135M, or of a model that a smoke test has time for.
inline ModelConfig bench_config(bool smoke) {
  ModelConfig config;
  config.model_type = "llama";
  config.vocab_size = smoke ? 512 : 49152;
  config.hidden_size = smoke ? 48 : 576;
  config.intermediate_size = smoke ? 96 : 1536;
  config.num_hidden_layers = smoke ? 2 : 30;
  config.num_attention_heads = smoke ? 3 : 9;
  config.num_key_value_heads = smoke ? 1 : 3;
  config.head_dim = config.hidden_size / config.num_attention_heads;
  config.max_position_embeddings = 8192;
  config.tie_word_embeddings = true;
  return config;
}

/// Random float weights of that configuration: a step costs the same whatever the weights say.
inline WeightProvider random_weights(ModelConfig const& config) {
  return {[config](std::string const& name) {
            auto const has = [&](char const* part) { return name.find(part) != std::string::npos; };
            Index const c = config.hidden_size, kv = config.num_key_value_heads * config.head_dim, m = config.intermediate_size;
            std::vector<Index> const shape = has("embed")                       ? std::vector{config.vocab_size, c}
                                             : has("norm")                      ? std::vector{c}
                                             : has("k_proj") || has("v_proj")   ? std::vector{kv, c}
                                             : has("gate_proj") || has("up_proj") ? std::vector{m, c}
                                             : has("down_proj")                 ? std::vector{c, m}
                                                                                : std::vector{c, c};
            Index size = 1;
            for (Index const n : shape) size *= n;
            auto values = std::make_shared<std::vector<float>>(static_cast<std::size_t>(size), 1.0f);
            Rng rng(1, std::hash<std::string>{}(name));
            if (shape.size() > 1)
              for (float& value : *values) value = static_cast<float>(rng.uniform(-0.05, 0.05));
            return HostTensor{Storage::f32, shape, reinterpret_cast<std::byte const*>(values->data()), values};
          },
          [](std::string const&) { return true; }};
}

/// The Llama of a model file, or with an empty `path` a random one.
template <class B, class A>
[[nodiscard]] std::unique_ptr<Transformer<Llama, float, B, A>> bench_model(std::string const& path, bool smoke, A adapter, B& backend) {
  if (!path.empty()) return build_model<Llama, float>(open_model(path), std::move(adapter), backend);
  auto const config = bench_config(smoke);
  return std::make_unique<Transformer<Llama, float, B, A>>(config, std::move(adapter), backend, random_weights(config));
}

/// `sequences` of `length` random tokens, all of them supervised: as dense as a batch can be.
inline TokenBatch dense_batch(ModelConfig const& config, Index sequences, Index length) {
  TokenBatch batch;
  batch.cu_seqlens = {0};
  Rng rng(2);
  for (Index s = 0; s < sequences; ++s) {
    auto const begin = batch.ids.size();
    for (Index i = 0; i < length; ++i)
      batch.ids.push_back(static_cast<std::int32_t>(rng.below(static_cast<std::uint32_t>(config.vocab_size))));
    for (Index i = 0; i + 1 < length; ++i) {
      batch.rows.push_back(static_cast<std::int32_t>(begin) + static_cast<std::int32_t>(i));
      batch.targets.push_back(batch.ids[begin + static_cast<std::size_t>(i) + 1]);
    }
    batch.cu_seqlens.push_back(static_cast<std::int32_t>(batch.ids.size()));
  }
  return batch;
}

}  // namespace graft::bench
