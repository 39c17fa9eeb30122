// SPDX-License-Identifier: Apache-2.0
#include <graft/io/hf_config.hpp>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <support/files.hpp>
#include <support/message_of.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

using namespace graft;
using nlohmann::json;
using test::message_of;
using test::write_file;

namespace {

struct Folder {
  test::TemporaryDirectory directory;
  [[nodiscard]] ModelConfig read(json const& config) const {
    write_file(directory / "config.json", config.dump());
    return read_hf_config(directory.path());
  }
  [[nodiscard]] std::string refusal(std::string const& text) const {
    write_file(directory / "config.json", text);
    return message_of([&] { (void)read_hf_config(directory.path()); });
  }
};

json llama() {
  return {{"model_type", "llama"}, {"vocab_size", 49152}, {"hidden_size", 576}, {"intermediate_size", 1536}, {"num_hidden_layers", 30},
          {"num_attention_heads", 9}, {"num_key_value_heads", 3}, {"rms_norm_eps", 1e-5}, {"max_position_embeddings", 8192},
          {"hidden_act", "silu"}, {"tie_word_embeddings", true}, {"bos_token_id", 1}, {"eos_token_id", 2}, {"pad_token_id", 2}};
}

json gemma() {
  return {{"model_type", "gemma3_text"}, {"vocab_size", 262144}, {"hidden_size", 640}, {"intermediate_size", 2048}, {"num_hidden_layers", 18},
          {"num_attention_heads", 4}, {"num_key_value_heads", 1}, {"head_dim", 256}, {"rms_norm_eps", 1e-6}, {"max_position_embeddings", 32768},
          {"hidden_activation", "gelu_pytorch_tanh"}, {"query_pre_attn_scalar", 256}, {"sliding_window", 512}, {"eos_token_id", json::array({1, 106})}};
}

json with(json base, json const& changes) {
  base.update(changes);
  return base;
}

}  // namespace

TEST_CASE("hf config: both dialects of a llama give the same configuration") {
  Folder const folder;
  ModelConfig const v4 = folder.read(with(llama(), {{"torch_dtype", "bfloat16"}, {"rope_theta", 100000.0}, {"rope_scaling", nullptr}}));
  ModelConfig const v5 = folder.read(with(llama(), {{"dtype", "bfloat16"}, {"rope_parameters", {{"rope_type", "default"}, {"rope_theta", 1e5}}}}));
  CHECK(v4 == v5);
  CHECK(v4.model_type == "llama");
  CHECK(v4.head_dim == 64);
  CHECK(v4.rope_theta == 100000);
  CHECK(v4.norm_eps == 1e-5);
  CHECK(v4.tie_word_embeddings);
  CHECK(v4.dtype == "bfloat16");
  CHECK(v4.bos_token_id == 1);
  CHECK(v4.eos_token_ids == std::vector<int>{2});
  CHECK(v4.rope_scaling == RopeScaling{});
}

TEST_CASE("hf config: where both dialects stand in one file, that of transformers 5 counts") {
  Folder const folder;
  ModelConfig const config = folder.read(with(llama(), {{"dtype", "float16"}, {"torch_dtype", "float32"}, {"rope_theta", 1e4},
                                                        {"rope_scaling", {{"type", "linear"}, {"factor", 2}}},
                                                        {"rope_parameters", {{"rope_type", "default"}, {"rope_theta", 5e5}}}}));
  CHECK(config.dtype == "float16");
  CHECK(config.rope_theta == 5e5);
  CHECK(config.rope_scaling.kind == RopeScaling::Kind::none);
}

TEST_CASE("hf config: rope scalings of both dialects") {
  Folder const folder;
  json const l3 = {{"rope_type", "llama3"}, {"factor", 32.0}, {"low_freq_factor", 1.0}, {"high_freq_factor", 4.0}, {"original_max_position_embeddings", 4096}};
  RopeScaling const expected{.kind = RopeScaling::Kind::llama3, .factor = 32, .original_max_position_embeddings = 4096};
  CHECK(folder.read(with(llama(), {{"rope_scaling", l3}, {"rope_theta", 5e5}})).rope_scaling == expected);
  CHECK(folder.read(with(llama(), {{"rope_parameters", with(l3, {{"rope_theta", 5e5}})}})).rope_scaling == expected);
  auto const linear = folder.read(with(llama(), {{"rope_scaling", {{"type", "linear"}, {"factor", 2}}}})).rope_scaling;
  CHECK(linear.kind == RopeScaling::Kind::linear);
  CHECK(linear.factor == 2);
  auto const yarn = folder.read(with(llama(), {{"rope_scaling", {{"rope_type", "yarn"}, {"factor", 4.0}, {"beta_fast", 16}, {"attention_factor", 1.2}}}})).rope_scaling;
  CHECK(yarn.kind == RopeScaling::Kind::yarn);
  CHECK(yarn.original_max_position_embeddings == 8192);
  CHECK(yarn.beta_fast == 16);
  CHECK(yarn.beta_slow == 1);
  CHECK(yarn.attention_factor == 1.2);
}

TEST_CASE("hf config: defaults of the classes where the file is silent") {
  Folder const folder;
  json bare = {{"model_type", "llama"}, {"vocab_size", 10}, {"hidden_size", 64}, {"intermediate_size", 8}, {"num_hidden_layers", 1}, {"num_attention_heads", 4}};
  ModelConfig const config = folder.read(bare);
  CHECK(config.num_key_value_heads == 4);
  CHECK(config.head_dim == 16);
  CHECK(config.norm_eps == 1e-6);
  CHECK(config.rope_theta == 10000);
  CHECK(config.max_position_embeddings == 2048);
  CHECK(!config.tie_word_embeddings);
  CHECK(config.eos_token_ids.empty());
  CHECK(!config.bos_token_id.has_value());
  bare["model_type"] = "qwen3";
  bare["num_key_value_heads"] = 2;
  CHECK(folder.read(bare).head_dim == 128);
  bare["pad_token_id"] = -1;
  CHECK(!folder.read(bare).pad_token_id.has_value());
}

TEST_CASE("hf config: gemma3 in both dialects, alone and inside a multimodal file") {
  Folder const folder;
  ModelConfig const v4 = folder.read(with(gemma(), {{"rope_theta", 1e6}, {"rope_local_base_freq", 1e4}, {"sliding_window_pattern", 6}}));
  CHECK(v4.model_type == "gemma3_text");
  CHECK(v4.rope_theta == 1e6);
  CHECK(v4.rope_local_theta == 1e4);
  CHECK(v4.attention_scale == 0);
  CHECK(v4.tie_word_embeddings);
  CHECK(v4.hidden_act == "gelu_pytorch_tanh");
  CHECK(v4.eos_token_ids == std::vector<int>{1, 106});
  REQUIRE(v4.layer_is_sliding.size() == 18);
  CHECK(v4.is_sliding(4));
  CHECK(!v4.is_sliding(5));
  json types = json::array();
  for (int i = 1; i <= 18; ++i) types.push_back(i % 6 == 0 ? "full_attention" : "sliding_attention");
  json const rope = {{"full_attention", {{"rope_type", "default"}, {"rope_theta", 1e6}}}, {"sliding_attention", {{"rope_type", "default"}, {"rope_theta", 1e4}}}};
  CHECK(folder.read(with(gemma(), {{"rope_parameters", rope}, {"layer_types", types}})) == v4);
  json const text = {{"model_type", "gemma3_text"}, {"hidden_size", 2560}, {"intermediate_size", 10240}, {"num_hidden_layers", 34},
                     {"sliding_window", 1024}, {"rope_scaling", {{"factor", 8.0}, {"rope_type", "linear"}}}};
  ModelConfig const inner = folder.read({{"model_type", "gemma3"}, {"text_config", text}, {"eos_token_id", json::array({1, 106})}, {"torch_dtype", "bfloat16"}});
  CHECK(inner.model_type == "gemma3_text");
  CHECK(inner.vocab_size == 262208);
  CHECK(inner.num_attention_heads == 8);
  CHECK(inner.num_key_value_heads == 4);
  CHECK(inner.head_dim == 256);
  CHECK(inner.rope_scaling.factor == 8);
  CHECK(inner.eos_token_ids == std::vector<int>{1, 106});
  CHECK(inner.dtype == "bfloat16");
  CHECK(folder.read(with(gemma(), {{"query_pre_attn_scalar", 168}})).attention_scale == 1 / std::sqrt(168.0));
}

TEST_CASE("hf config: windows of qwen2 and mistral, rope layers of smollm3, biases") {
  Folder const folder;
  json qwen = with(llama(), {{"model_type", "qwen2"}, {"sliding_window", 4096}, {"use_sliding_window", false}, {"max_window_layers", 28}});
  CHECK(folder.read(qwen).sliding_window == 0);
  CHECK(folder.read(qwen).layer_is_sliding.empty());
  CHECK(folder.read(qwen).attention_bias);
  qwen["use_sliding_window"] = true;
  ModelConfig const sliding = folder.read(qwen);
  CHECK(sliding.sliding_window == 4096);
  CHECK(!sliding.is_sliding(27));
  CHECK(sliding.is_sliding(28));
  json mistral = with(llama(), {{"model_type", "mistral"}});
  CHECK(folder.read(mistral).sliding_window == 4096);  // the default of the class
  CHECK(folder.read(mistral).is_sliding(0));
  mistral["sliding_window"] = nullptr;
  CHECK(folder.read(mistral).sliding_window == 0);
  CHECK(folder.read(mistral).layer_is_sliding.empty());
  json smol = with(llama(), {{"model_type", "smollm3"}, {"num_hidden_layers", 4}, {"no_rope_layers", json::array({1, 0, 1, 0})}});
  CHECK(folder.read(smol).layer_uses_rope == std::vector<bool>{true, false, true, false});
  smol.erase("no_rope_layers");
  CHECK(folder.read(smol).layer_uses_rope == std::vector<bool>{true, true, true, false});
  CHECK(folder.read(smol).rope_theta == 2e6);
  CHECK(folder.read(with(llama(), {{"attention_bias", true}, {"mlp_bias", true}})).mlp_bias);
}

TEST_CASE("hf config: gpt2's own names") {
  Folder const folder;
  ModelConfig const config = folder.read({{"model_type", "gpt2"}, {"vocab_size", 50257}, {"n_embd", 768}, {"n_layer", 12}, {"n_head", 12},
                                          {"n_positions", 1024}, {"n_inner", nullptr}, {"activation_function", "gelu_new"},
                                          {"layer_norm_epsilon", 1e-5}, {"bos_token_id", 50256}, {"eos_token_id", 50256}});
  CHECK(config.intermediate_size == 3072);
  CHECK(config.head_dim == 64);
  CHECK(config.tie_word_embeddings);
  CHECK(config.attention_bias);
  CHECK(config.hidden_act == "gelu_pytorch_tanh");
}

TEST_CASE("hf config: generation_config.json adds end tokens and sampling") {
  Folder const folder;
  auto const& directory = folder.directory;
  write_file(directory / "generation_config.json", R"({"eos_token_id":[7,2],"pad_token_id":9,"do_sample":true,"temperature":0.6,"top_p":0.9,"max_new_tokens":64})");
  ModelConfig const config = folder.read(llama());
  CHECK(config.eos_token_ids == std::vector<int>{7, 2});
  GenerationDefaults const defaults = read_generation_config(directory.path(), config);
  CHECK(defaults.pad_token_id == 9);
  CHECK(defaults.bos_token_id == 1);
  CHECK(!defaults.sampling.greedy);
  CHECK(defaults.sampling.temperature == 0.6);
  CHECK(defaults.sampling.top_p == 0.9);
  CHECK(defaults.sampling.top_k == 50);
  CHECK(defaults.max_new_tokens == 64);
  write_file(directory / "generation_config.json", R"({"temperature":0.0,"eos_token_id":5})");
  GenerationDefaults const greedy = read_generation_config(directory.path(), config);
  CHECK(greedy.sampling.greedy);
  CHECK(greedy.sampling.temperature == 1);
  CHECK(greedy.eos_token_ids == std::vector<int>{5, 7, 2});
  test::TemporaryDirectory const empty;
  CHECK(read_generation_config(empty.path(), config).eos_token_ids == config.eos_token_ids);
}

TEST_CASE("hf config: every bad file has its own sentence") {
  Folder const folder;
  struct Case {
    std::string says;
    std::string text;
  };
  auto const llama_with = [](json const& changes) { return with(llama(), changes).dump(); };
  auto const llama_without = [](std::string const& key) {
    json config = llama();
    config.erase(key);
    return config.dump();
  };
  std::vector<Case> const cases = {
      {"this is not valid JSON", ""},
      {"this is not valid JSON", "{\"model_type\":"},
      {"this is not valid JSON: it holds a zero byte", std::string("{}\0", 3)},
      {"a JSON object is expected here: got [1]", "[1]"},
      {"the key \"model_type\" is missing", "{}"},
      {"the key \"hidden_size\" occurs twice", R"({"hidden_size":1,"hidden_size":2})"},
      {"model_type must be a string: got 5", llama_with({{"model_type", 5}})},
      {"model_type must be one of llama, mistral, qwen2, qwen3, smollm3, gemma3_text, gpt2: got mamba", llama_with({{"model_type", "mamba"}})},
      {"the key \"vocab_size\" is missing", llama_without("vocab_size")},
      {"the key \"hidden_size\" is missing", llama_without("hidden_size")},
      {"the key \"intermediate_size\" is missing", llama_without("intermediate_size")},
      {"the key \"num_hidden_layers\" is missing", llama_without("num_hidden_layers")},
      {"the key \"num_attention_heads\" is missing", llama_without("num_attention_heads")},
      {"hidden_size must be an integer: got \"576\"", llama_with({{"hidden_size", "576"}})},
      {"hidden_size must be an integer: got 576.5", llama_with({{"hidden_size", 576.5}})},
      {"hidden_size is too large: 18446744073709551615", llama_with({{"hidden_size", ~std::uint64_t{0}}})},
      {"hidden_size=577 must be a multiple of the number of attention heads=9", llama_with({{"hidden_size", 577}})},
      {"must be a multiple of the number of attention heads=0", llama_with({{"num_attention_heads", 0}})},
      {"num_hidden_layers must be in 1..4096: got 1000000000", llama_with({{"num_hidden_layers", 1000000000}})},
      {"num_key_value_heads must be in 1..9: got 18", llama_with({{"num_key_value_heads", 18}})},
      {"rms_norm_eps must be a number: got \"1e-5\"", llama_with({{"rms_norm_eps", "1e-5"}})},
      {"norm_eps must be positive", llama_with({{"rms_norm_eps", 0}})},
      {"tie_word_embeddings must be true or false: got 1", llama_with({{"tie_word_embeddings", 1}})},
      {"the activation of llama must be silu: got gelu", llama_with({{"hidden_act", "gelu"}})},
      {"eos_token_id must be an integer: got \"</s>\"", llama_with({{"eos_token_id", "</s>"}})},
      {"eos_token_id must be an integer: got null", llama_with({{"eos_token_id", json::array({1, nullptr})}})},
      {"eos_token_id must not be negative: got -7", llama_with({{"eos_token_id", -7}})},
      {"bos_token_id is too large: 4294967296", llama_with({{"bos_token_id", 4294967296}})},
      {"weights quantised by other libraries than bitsandbytes are not read", llama_with({{"quantization_config", {{"quant_method", "gptq"}}}})},
      {"partial_rotary_factor must be 1: got 0.5", llama_with({{"partial_rotary_factor", 0.5}})},
      {"rope_scaling must be an object: got \"linear\"", llama_with({{"rope_scaling", "linear"}})},
      {"rope_scaling: rope_type must be default, linear, dynamic, llama3 or yarn: got longrope", llama_with({{"rope_scaling", {{"type", "longrope"}, {"factor", 2}}}})},
      {"got longrope", llama_with({{"rope_parameters", {{"rope_type", "longrope"}}}})},
      {"rope_scaling: the key \"factor\" is missing", llama_with({{"rope_scaling", {{"type", "linear"}}}})},
      {"rope_scaling: the key \"low_freq_factor\" is missing", llama_with({{"rope_scaling", {{"rope_type", "llama3"}, {"factor", 8}}}})},
      {"rope_scaling: the rope setting short_factor is not supported", llama_with({{"rope_scaling", {{"rope_type", "yarn"}, {"factor", 8}, {"short_factor", 1}}}})},
      {"rope factor must be at least 1: got -2", llama_with({{"rope_scaling", {{"type", "linear"}, {"factor", -2}}}})},
      {"rope_parameters a layer type are not known for llama", llama_with({{"rope_parameters", {{"full_attention", json::object()}}}})},
      {"rope_parameters: partial_rotary_factor must be 1: got 0.25", llama_with({{"rope_parameters", {{"partial_rotary_factor", 0.25}}}})},
      {"the key \"max_window_layers\" is missing", llama_with({{"model_type", "qwen2"}, {"use_sliding_window", true}, {"sliding_window", 64}})},
      {"layer_types must hold full_attention and sliding_attention: got \"chunked_attention\"",
       with(gemma(), {{"layer_types", json::array({"chunked_attention"})}}).dump()},
      {"layer_is_sliding must have an entry per layer: got 1", with(gemma(), {{"layer_types", json::array({"sliding_attention"})}}).dump()},
      {"sliding_window must not be negative: got -1", with(gemma(), {{"sliding_window", -1}}).dump()},
      {"layer_types has \"sliding_attention\", but there is no sliding_window",
       with(gemma(), {{"sliding_window", nullptr}, {"layer_types", json::array({"sliding_attention"})}}).dump()},
      {"sliding_window_pattern must be at least 1: got 0", with(gemma(), {{"sliding_window_pattern", 0}}).dump()},
      {"query_pre_attn_scalar must be positive: got -1", with(gemma(), {{"query_pre_attn_scalar", -1}}).dump()},
      {"attn_logit_softcapping is set, which graft does not support", with(gemma(), {{"attn_logit_softcapping", 50.0}}).dump()},
      {"use_bidirectional_attention is true", with(gemma(), {{"use_bidirectional_attention", true}}).dump()},
      {"rope_type must be default in sliding layers",
       with(gemma(), {{"rope_parameters", {{"sliding_attention", {{"rope_type", "linear"}, {"factor", 2}}}}}}).dump()},
      {"the activation of gemma3_text must be gelu_pytorch_tanh: got silu", with(gemma(), {{"hidden_activation", "silu"}}).dump()},
      {"text_config must be an object: got 1", R"({"model_type":"gemma3","text_config":1})"},
      {"no_rope_layers must be an integer: got \"x\"", llama_with({{"model_type", "smollm3"}, {"no_rope_layers", json::array({"x"})}})},
      {"layer_uses_rope must have an entry per layer: got 2", llama_with({{"model_type", "smollm3"}, {"no_rope_layers", json::array({1, 0})}})},
      {"nested deeper than 64 levels", "{\"a\":" + std::string(100, '[') + std::string(100, ']') + "}"},
  };
  CHECK(cases.size() >= 40);
  for (Case const& one : cases) {
    CAPTURE(one.text);
    std::string const message = folder.refusal(one.text);
    CAPTURE(message);
    CHECK(message.starts_with("[config] "));
    CHECK(message.find(one.says) != std::string::npos);
    CHECK(message.find((folder.directory / "config.json").string()) != std::string::npos);
  }
  test::TemporaryDirectory const empty;
  CHECK(message_of([&] { (void)read_hf_config(empty.path()); }).find("config.json: No such file") != std::string::npos);
}

TEST_CASE("hf config: a bad generation_config.json is refused by name") {
  Folder const folder;
  for (auto const& [says, text] : std::vector<std::pair<std::string, std::string>>{
           {"this is not valid JSON", "{"},
           {"eos_token_id must be an integer: got \"a\"", R"({"eos_token_id":"a"})"},
           {"eos_token_id must not be negative: got -1", R"({"eos_token_id":[-1]})"},
           {"do_sample must be true or false: got \"yes\"", R"({"do_sample":"yes"})"},
           {"temperature must be above 0: got 0", R"({"do_sample":true,"temperature":0})"},
           {"top_p must be in (0, 1]: got 1.5", R"({"do_sample":true,"top_p":1.5})"}}) {
    write_file(folder.directory / "generation_config.json", text);
    std::string const message = folder.refusal(llama().dump());
    CAPTURE(message);
    CHECK(message.find(says) != std::string::npos);
    CHECK(message.find("generation_config.json") != std::string::npos);
  }
}

TEST_CASE("hf config: what is written reads back equal, for every family") {
  Folder const folder;
  test::TemporaryDirectory const out;
  json const l3 = {{"rope_type", "llama3"}, {"factor", 8.0}, {"low_freq_factor", 1.0}, {"high_freq_factor", 4.0}, {"original_max_position_embeddings", 4096}};
  std::vector<json> const configs = {
      llama(),
      with(llama(), {{"rope_theta", 1e5}, {"rope_scaling", l3}, {"torch_dtype", "bfloat16"}, {"attention_bias", true}, {"eos_token_id", json::array({1, 2, 3})}}),
      with(llama(), {{"model_type", "mistral"}, {"sliding_window", 64}}),
      with(llama(), {{"model_type", "mistral"}, {"sliding_window", nullptr}}),
      with(llama(), {{"model_type", "qwen2"}, {"use_sliding_window", true}, {"sliding_window", 64}, {"max_window_layers", 20}}),
      with(llama(), {{"model_type", "qwen3"}, {"head_dim", 128}, {"rope_scaling", {{"rope_type", "yarn"}, {"factor", 4.0}, {"attention_factor", 1.3}, {"original_max_position_embeddings", 2048}}}}),
      with(llama(), {{"model_type", "smollm3"}}),
      gemma(),
      with(gemma(), {{"query_pre_attn_scalar", 168}, {"final_logit_softcapping", 30.0}, {"rope_scaling", {{"rope_type", "linear"}, {"factor", 8.0}}}}),
      {{"model_type", "gpt2"}, {"vocab_size", 50257}, {"n_embd", 768}, {"n_layer", 12}, {"n_head", 12}, {"n_positions", 1024}},
  };
  for (json const& config : configs) {
    CAPTURE(config.dump());
    ModelConfig const first = folder.read(config);
    write_hf_config(first, out.path());
    ModelConfig second = read_hf_config(out.path());
    // 1/sqrt(x) goes through x: equal but for rounding.
    CHECK(second.attention_scale == doctest::Approx(first.attention_scale).epsilon(1e-15));
    second.attention_scale = first.attention_scale;
    CHECK(second == first);
  }
}

TEST_CASE("hf config: both dialects stand in what is written") {
  Folder const folder;
  test::TemporaryDirectory const out;
  ModelConfig const config = folder.read(with(llama(), {{"rope_theta", 5e5}, {"rope_scaling", {{"rope_type", "linear"}, {"factor", 2.0}}}, {"dtype", "bfloat16"}}));
  GenerationDefaults generation;
  generation.sampling.greedy = false;
  generation.sampling.temperature = 0.7;
  generation.eos_token_ids = {2, 3};
  write_hf_config(config, out.path(), generation);
  json const written = json::parse(test::read_file(out / "config.json"));
  CHECK(written["dtype"] == "bfloat16");
  CHECK(written["torch_dtype"] == "bfloat16");
  CHECK(written["rope_theta"] == 5e5);
  CHECK(written["rope_scaling"] == json{{"rope_type", "linear"}, {"factor", 2.0}});
  CHECK(written["rope_parameters"] == json{{"rope_type", "linear"}, {"factor", 2.0}, {"rope_theta", 5e5}});
  CHECK(written["architectures"] == json::array({"LlamaForCausalLM"}));
  GenerationDefaults const back = read_generation_config(out.path(), config);
  CHECK(back.sampling.temperature == 0.7);
  CHECK(!back.sampling.greedy);
  CHECK(back.eos_token_ids == std::vector<int>{2, 3});
  ModelConfig unknown = config;
  unknown.model_type = "mamba";
  CHECK(message_of([&] { write_hf_config(unknown, out.path()); }).find("model_type must be one of") != std::string::npos);
  unknown.model_type = "llama";
  unknown.head_dim = 0;
  CHECK(message_of([&] { write_hf_config(unknown, out.path()); }).find("head_dim must be in") != std::string::npos);
}
