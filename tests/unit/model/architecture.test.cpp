// SPDX-License-Identifier: Apache-2.0
#include <graft/model/architecture.hpp>

#include <graft/adapter/frozen.hpp>
#include <graft/backend/reference.hpp>
#include <graft/model/gemma3.hpp>
#include <graft/model/gpt2.hpp>
#include <graft/model/llama.hpp>
#include <graft/model/qwen2.hpp>
#include <graft/model/qwen3.hpp>
#include <graft/model/transformer.hpp>

#include <support/tiny_model.hpp>

#include <doctest/doctest.h>

#include <set>

using namespace graft;

static_assert(Architecture<Llama> && Architecture<Qwen2> && Architecture<Qwen3> && Architecture<Gemma3> && Architecture<Gpt2>);
static_assert(!Architecture<int>);

namespace {

struct WithoutHeadName {
  static constexpr std::array<std::string_view, 1> model_types{"x"};
  static constexpr bool qk_norm = false, qkv_bias = false, post_norms = false, scaled_embedding = false, learned_positions = false;
  static constexpr double norm_offset = 0;
  static constexpr char const *embedding_name = "", *layers_name = "", *final_norm_name = "", *input_norm_name = "",
                              *attention_name = "", *mlp_norm_name = "", *mlp_name = "";
};
static_assert(!Architecture<WithoutHeadName>);

/// The weights that a model of one layer asks for.
template <class Arch>
std::set<std::string> names(bool tied, bool attention_bias, bool mlp_bias) {
  auto config = test::tiny_config(std::string(Arch::model_types[0]));
  config.num_hidden_layers = 1;
  config.tie_word_embeddings = tied;
  config.attention_bias = attention_bias;
  config.mlp_bias = mlp_bias;
  test::RandomWeights weights(config);
  Reference backend;
  std::set<std::string> asked;
  WeightProvider const provider{[&](std::string const& name) {
                                  asked.insert(name);
                                  return weights.get(name);
                                },
                                [](std::string const&) { return true; }};
  Transformer<Arch, float, Reference, Frozen> const model(config, {}, backend, provider);
  CHECK(asked.size() == model.weights().size());
  return asked;
}

std::set<std::string> layer(std::initializer_list<char const*> parts) {
  std::set<std::string> all{"model.embed_tokens.weight", "model.norm.weight"};
  for (char const* part : parts) all.insert("model.layers.0." + std::string(part));
  return all;
}

std::set<std::string> plus(std::set<std::string> set, std::set<std::string> const& more) {
  set.insert(more.begin(), more.end());
  return set;
}

auto const llama = layer({"input_layernorm.weight", "self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight",
                          "self_attn.o_proj.weight", "post_attention_layernorm.weight", "mlp.gate_proj.weight", "mlp.up_proj.weight",
                          "mlp.down_proj.weight"});
auto const qkv_biases = layer({"self_attn.q_proj.bias", "self_attn.k_proj.bias", "self_attn.v_proj.bias"});
auto const qk_norms = layer({"self_attn.q_norm.weight", "self_attn.k_norm.weight"});

}  // namespace

TEST_CASE("architecture: each family asks for the tensors of its Hugging Face checkpoints, no more and no less") {
  CHECK(names<Llama>(true, false, false) == llama);
  CHECK(names<Llama>(false, false, false) == plus(llama, {"lm_head.weight"}));
  CHECK(names<Llama>(true, true, true) ==
        plus(plus(llama, qkv_biases), layer({"self_attn.o_proj.bias", "mlp.gate_proj.bias", "mlp.up_proj.bias", "mlp.down_proj.bias"})));
  CHECK(names<Qwen2>(true, false, false) == plus(llama, qkv_biases));
  CHECK(names<Qwen2>(true, true, false) == plus(llama, qkv_biases));  // never on the output
  CHECK(names<Qwen3>(true, false, false) == plus(llama, qk_norms));
  CHECK(names<Gemma3>(true, false, false) ==
        plus(plus(llama, qk_norms), layer({"pre_feedforward_layernorm.weight", "post_feedforward_layernorm.weight"})));
  std::set<std::string> gpt2{"transformer.wte.weight", "transformer.wpe.weight"};
  for (char const* const module : {"ln_f", "h.0.ln_1", "h.0.attn.c_attn", "h.0.attn.c_proj", "h.0.ln_2", "h.0.mlp.c_fc", "h.0.mlp.c_proj"})
    for (char const* const part : {".weight", ".bias"}) gpt2.insert("transformer." + std::string(module) + part);
  CHECK(names<Gpt2>(true, true, true) == gpt2);
}

TEST_CASE("architecture: model types are told apart") {
  std::set<std::string_view> types;
  auto const add = [&](auto const& list) {
    for (auto const type : list) CHECK(types.insert(type).second);
  };
  add(Llama::model_types);
  add(Qwen2::model_types);
  add(Qwen3::model_types);
  add(Gemma3::model_types);
  add(Gpt2::model_types);
  CHECK(types == std::set<std::string_view>{"llama", "mistral", "smollm3", "qwen2", "qwen3", "gemma3_text", "gemma3", "gpt2"});
}
