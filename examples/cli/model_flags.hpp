// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>

#include <string>

namespace cli {

/// The flags that name a model and say how to compute with it.
struct ModelFlags {
  std::string model;
  std::string adapter;
  std::string backend = "auto";
  std::string precision = "auto";
  std::string chat_format;
  int threads = 0;
};

inline void add_model_flags(CLI::App& app, ModelFlags& flags) {
  app.add_option("--model", flags.model, "GGUF file or Hugging Face directory")->required();
  app.add_option("--backend", flags.backend, "who multiplies matrices")
      ->check(CLI::IsMember({"auto", "eigen", "onednn", "cuda"}))
      ->capture_default_str();
  app.add_option("--precision", flags.precision, "what products with the base's weights multiply; auto: the faster of f32 and bf16 here")
      ->check(CLI::IsMember({"auto", "f32", "bf16", "int8"}))
      ->capture_default_str();
  app.add_option("--threads", flags.threads, "0: one for each core")->check(CLI::NonNegativeNumber)->capture_default_str();
  app.add_option("--chat-format", flags.chat_format,
                 "chatml, llama3, llama3.1, gemma, mistral, zephyr or plain; default: the one of the model's template");
}

inline void add_adapter_flag(CLI::App& app, ModelFlags& flags) {
  app.add_option("--adapter", flags.adapter, "PEFT directory of a LoRA adapter");
}

}  // namespace cli
