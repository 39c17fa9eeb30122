// SPDX-License-Identifier: Apache-2.0
// Makes a small Llama from nothing and pretrains it in about a minute, so that the quickstart and the tests run where no
// model can be downloaded: byte-level vocabulary, ChatML, the same code path as a real model.
//   make_tiny_model DIRECTORY [STEPS]   writes DIRECTORY/hf (Hugging Face) and DIRECTORY/model.gguf (Q8_0)
#include <graft/graft.hpp>
#include <graft/io/save_gguf.hpp>
#include <graft/text/byte_level_spec.hpp>

#include <cmath>
#include <cstdio>
#include <cstdlib>

using namespace graft;

namespace {

constexpr char const* chat_template =
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

ModelConfig tiny_config(Index vocabulary) {
  ModelConfig config;
  config.model_type = "llama";
  config.vocab_size = vocabulary;
  config.hidden_size = 128;
  config.intermediate_size = 384;
  config.num_hidden_layers = 4;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.head_dim = 32;
  config.max_position_embeddings = 4096;
  config.tie_word_embeddings = true;
  return config;
}

/// Weights at the start: matrices normal with 0.02-like scales, norm gains one. (GPT-2's and Llama's usual choice.)
WeightProvider initial_weights(ModelConfig const& config) {
  auto const shape_of = [config](std::string const& name) -> std::vector<Index> {
    auto const has = [&](char const* part) { return name.find(part) != std::string::npos; };
    Index const q = config.num_attention_heads * config.head_dim, kv = config.num_key_value_heads * config.head_dim;
    if (has("embed_tokens")) return {config.vocab_size, config.hidden_size};
    if (has("q_proj")) return {q, config.hidden_size};
    if (has("k_proj") || has("v_proj")) return {kv, config.hidden_size};
    if (has("o_proj")) return {config.hidden_size, q};
    if (has("down_proj")) return {config.hidden_size, config.intermediate_size};
    if (has("gate_proj") || has("up_proj")) return {config.intermediate_size, config.hidden_size};
    return {config.hidden_size};
  };
  auto const get = [shape_of](std::string const& name) {
    auto const shape = shape_of(name);
    Index size = 1;
    for (Index const n : shape) size *= n;
    auto values = std::make_shared<std::vector<float>>(static_cast<std::size_t>(size), 1.0f);
    std::uint64_t stream = 0;
    for (char const c : name) stream = stream * 131 + static_cast<unsigned char>(c);
    Rng rng(1, stream);
    if (shape.size() > 1)
      for (float& value : *values) value = static_cast<float>(0.05 * rng.normal());
    return HostTensor{Storage::f32, shape, reinterpret_cast<std::byte const*>(values->data()), values};
  };
  return {get, [](std::string const&) { return true; }};
}

/// Conversations about copying, counting, naming and describing: enough for a small model to learn the shape of an answer.
std::vector<Message> conversation(Rng& rng) {
  constexpr char const* names[] = {"Anna", "Ben", "Chloe", "David", "Emma", "Felix", "Grace", "Hugo"};
  constexpr char const* things[] = {"lamp", "chair", "phone", "book", "kettle", "bicycle", "jacket", "camera"};
  constexpr char const* moods[] = {"broken", "late", "too small", "perfect", "missing", "blue", "old", "wrong"};
  auto const pick = [&](auto const& list) { return std::string(list[rng.below(std::size(list))]); };
  std::string const name = pick(names), thing = pick(things), mood = pick(moods);
  std::string const number = std::to_string(100 + rng.below(900));
  switch (rng.below(4)) {
    case 0: return {{"user", "Repeat: " + name + " has a " + thing + "."}, {"assistant", name + " has a " + thing + "."}};
    case 1: return {{"user", "My " + thing + " is " + mood + ". Order " + number + ". " + name},
                    {"assistant", "{\"thing\":\"" + thing + "\",\"order\":\"" + number + "\",\"name\":\"" + name + "\"}"}};
    case 2: return {{"user", "What is " + mood + "? The " + thing + " is " + mood + "."}, {"assistant", "The " + thing + "."}};
    default: return {{"user", "Hello, I am " + name + "."}, {"assistant", "Hello, " + name + "! How can I help you?"}};
  }
}

TokenBatch batch_of(std::vector<std::vector<Message>> const& conversations, Tokenizer const& tokenizer, ChatFormat const& format) {
  TokenBatch batch;
  batch.cu_seqlens = {0};
  for (auto const& messages : conversations) {
    auto const ids = encode_chat(tokenizer, format, messages).ids;
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) {  // pretraining: every token is learnt
      batch.rows.push_back(static_cast<std::int32_t>(batch.ids.size() + i));
      batch.targets.push_back(ids[i + 1]);
    }
    batch.ids.insert(batch.ids.end(), ids.begin(), ids.end());
    batch.cu_seqlens.push_back(static_cast<std::int32_t>(batch.ids.size()));
  }
  return batch;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::puts("usage: make_tiny_model DIRECTORY [STEPS]"), 2;
  std::filesystem::path const directory = argv[1];
  int const steps = argc > 2 ? std::atoi(argv[2]) : 400;

  ModelFiles files;
  TokenizerSpec spec = byte_level_spec();
  spec.chat_template = chat_template;
  files.tokenizer = std::make_shared<Tokenizer const>(spec);
  files.config = tiny_config(id_count(spec));
  files.config.bos_token_id = *spec.bos;
  files.config.eos_token_ids = {*spec.eos};
  files.config.pad_token_id = *spec.pad;
  auto const format = ChatFormat::recognise(spec);

  DefaultBackend backend;
  Transformer<Llama, float, DefaultBackend, FullFineTune> model(files.config, {}, backend, initial_weights(files.config));
  auto optimizer = bind(AdamW{.weight_decay = 0.1}, model.trainable());
  CosineWithWarmup const schedule{.peak_lr = 3e-3, .warmup_steps = 20, .total_steps = steps};
  Rng rng(7);
  for (int step = 0; step < steps; ++step) {
    std::vector<std::vector<Message>> conversations;
    for (int i = 0; i < 16; ++i) conversations.push_back(conversation(rng));
    auto const report = value_and_grad(model, CrossEntropy{}, batch_of(conversations, *files.tokenizer, format));
    clip_grad_norm(model.trainable(), 1.0);
    optimizer.step(schedule(step));
    if (step % 50 == 0 || step + 1 == steps) std::printf("step %4d  loss %.4f\n", step, report.value);
  }
  save_model(model, files, directory / "hf");
  save_gguf(model, spec, directory / "model.gguf", Storage::q8_0);
  std::printf("wrote %s and %s\n", (directory / "hf").c_str(), (directory / "model.gguf").c_str());
}
