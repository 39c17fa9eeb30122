// SPDX-License-Identifier: Apache-2.0
#include <graft/model/config.hpp>

#include <doctest/doctest.h>
#include <support/message_of.hpp>

#include <cmath>
#include <functional>
#include <limits>
#include <string>

using namespace graft;
using test::message_of;

namespace {

ModelConfig good() {
  ModelConfig config;
  config.model_type = "llama";
  config.vocab_size = 96;
  config.hidden_size = 32;
  config.intermediate_size = 48;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.head_dim = 8;
  config.max_position_embeddings = 128;
  return config;
}

RopeScaling llama3() { return {.kind = RopeScaling::Kind::llama3, .factor = 8, .original_max_position_embeddings = 64}; }
RopeScaling yarn() { return {.kind = RopeScaling::Kind::yarn, .factor = 4, .original_max_position_embeddings = 32}; }

}  // namespace

TEST_CASE("config: a good one passes, with every kind of scaling and layer list") {
  good().validate("f");
  ModelConfig config = good();
  config.layer_is_sliding = {true, false};
  config.layer_uses_rope = {true, false};
  config.sliding_window = 16;
  config.eos_token_ids = {1, 200};  // beyond the vocabulary: Gemma's image token
  for (RopeScaling const& scaling : {RopeScaling{}, RopeScaling{.kind = RopeScaling::Kind::linear, .factor = 2}, llama3(), yarn()}) {
    config.rope_scaling = scaling;
    config.validate("f");
  }
}

TEST_CASE("config: every inconsistency has its own sentence") {
  double const nan = std::numeric_limits<double>::quiet_NaN();
  struct Case {
    std::string says;
    std::function<void(ModelConfig&)> spoil;
  };
  Case const cases[] = {
      {"model_type is empty in dir/config.json", [](auto& c) { c.model_type.clear(); }},
      {"vocab_size must be in 1..16777216: got 0", [](auto& c) { c.vocab_size = 0; }},
      {"vocab_size must be in 1..16777216: got 1000000000000", [](auto& c) { c.vocab_size = 1000000000000; }},
      {"hidden_size must be in 1..1048576: got -1", [](auto& c) { c.hidden_size = -1; }},
      {"intermediate_size must be in", [](auto& c) { c.intermediate_size = 0; }},
      {"num_hidden_layers must be in 1..4096: got 0", [](auto& c) { c.num_hidden_layers = 0; }},
      {"num_hidden_layers must be in 1..4096: got 100000", [](auto& c) { c.num_hidden_layers = 100000; }},
      {"num_attention_heads must be in", [](auto& c) { c.num_attention_heads = 0; }},
      {"num_key_value_heads must be in 1..4: got 8", [](auto& c) { c.num_key_value_heads = 8; }},
      {"num_key_value_heads must be in 1..4: got 0", [](auto& c) { c.num_key_value_heads = 0; }},
      {"num_attention_heads=4 must be a multiple of num_key_value_heads=3", [](auto& c) { c.num_key_value_heads = 3; }},
      {"head_dim must be even, rope turns pairs: got 7", [](auto& c) { c.head_dim = 7; }},
      {"head_dim must be in", [](auto& c) { c.head_dim = 0; }},
      {"max_position_embeddings must be in", [](auto& c) { c.max_position_embeddings = 0; }},
      {"norm_eps must be positive and finite: got 0", [](auto& c) { c.norm_eps = 0; }},
      {"norm_eps must be positive and finite: got nan", [nan](auto& c) { c.norm_eps = nan; }},
      {"rope_theta must be positive and finite: got -1", [](auto& c) { c.rope_theta = -1; }},
      {"rope_local_theta must be positive and finite: got inf", [](auto& c) { c.rope_local_theta = HUGE_VAL; }},
      {"rope factor must be at least 1: got 0.5", [](auto& c) { c.rope_scaling = {.kind = RopeScaling::Kind::linear, .factor = 0.5}; }},
      {"original_max_position_embeddings must be in 1..max_position_embeddings=128: got 0",
       [](auto& c) { c.rope_scaling = llama3(), c.rope_scaling.original_max_position_embeddings = 0; }},
      {"original_max_position_embeddings must be in 1..max_position_embeddings=128: got 4096",
       [](auto& c) { c.rope_scaling = yarn(), c.rope_scaling.original_max_position_embeddings = 4096; }},
      {"rope low_freq_factor must be positive", [](auto& c) { c.rope_scaling = llama3(), c.rope_scaling.low_freq_factor = 0; }},
      {"rope high_freq_factor must be greater than low_freq_factor=1: got 1",
       [](auto& c) { c.rope_scaling = llama3(), c.rope_scaling.high_freq_factor = 1; }},
      {"rope beta_fast must be greater than beta_slow=1: got 0.5", [](auto& c) { c.rope_scaling = yarn(), c.rope_scaling.beta_fast = 0.5; }},
      {"rope beta_slow must be positive", [](auto& c) { c.rope_scaling = yarn(), c.rope_scaling.beta_slow = 0; }},
      {"rope attention_factor must not be negative", [](auto& c) { c.rope_scaling = yarn(), c.rope_scaling.attention_factor = -1; }},
      {"hidden_act is empty", [](auto& c) { c.hidden_act.clear(); }},
      {"attention_scale must not be negative: got -0.5", [](auto& c) { c.attention_scale = -0.5; }},
      {"final_logit_softcap must not be negative", [nan](auto& c) { c.final_logit_softcap = nan; }},
      {"layer_is_sliding must have an entry per layer: got 3 for num_hidden_layers=2", [](auto& c) { c.layer_is_sliding.resize(3); }},
      {"layer_uses_rope must have an entry per layer: got 1", [](auto& c) { c.layer_uses_rope.resize(1); }},
      {"layers are sliding but sliding_window is 0", [](auto& c) { c.layer_is_sliding = {false, true}; }},
      {"sliding_window must not be negative: got -4", [](auto& c) { c.sliding_window = -4; }},
      {"bos_token_id must not be negative: got -1", [](auto& c) { c.bos_token_id = -1; }},
      {"pad_token_id must not be negative: got -2", [](auto& c) { c.pad_token_id = -2; }},
      {"eos_token_id must not be negative: got -3", [](auto& c) { c.eos_token_ids = {1, -3}; }},
  };
  for (Case const& one : cases) {
    CAPTURE(one.says);
    ModelConfig config = good();
    one.spoil(config);
    std::string const message = message_of([&] { config.validate("dir/config.json"); });
    CAPTURE(message);
    CHECK(message.starts_with("[config] "));
    CHECK(message.find(one.says) != std::string::npos);
    CHECK(message.find("dir/config.json") != std::string::npos);
    CHECK(config != good());
  }
}

TEST_CASE("config: derived values") {
  ModelConfig config = good();
  CHECK(config.softmax_scale() == 1 / std::sqrt(8.0));
  config.attention_scale = 0.25;
  CHECK(config.softmax_scale() == 0.25);
  CHECK(!config.is_sliding(0));
  CHECK(config.uses_rope(1));
  config.layer_is_sliding = {true, false};
  config.layer_uses_rope = {true, false};
  CHECK(config.is_sliding(0));
  CHECK(!config.is_sliding(1));
  CHECK(!config.uses_rope(1));
  CHECK(name(RopeScaling::Kind::yarn) == "yarn");
}
