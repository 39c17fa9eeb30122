// SPDX-License-Identifier: Apache-2.0
// graft export-lora: a PEFT adapter as the GGUF file that llama.cpp loads beside its base.
#include "commands.hpp"

#include <graft/io/gguf_config.hpp>
#include <graft/io/hf_config.hpp>
#include <graft/io/lora_gguf.hpp>

#include <iostream>
#include <memory>

namespace cli {

void add_export_lora(CLI::App& app) {
  struct Flags {
    std::string model, adapter, output, dtype = "f32";
  };
  auto const flags = std::make_shared<Flags>();
  auto* command = app.add_subcommand("export-lora", "write a LoRA adapter as a GGUF file for llama.cpp's --lora");
  command->add_option("--model", flags->model, "its base: GGUF file or Hugging Face directory")->required();
  command->add_option("--adapter", flags->adapter, "PEFT directory")->required();
  command->add_option("--output", flags->output, "GGUF file to write")->required();
  command->add_option("--dtype", flags->dtype, "of the matrices")->check(CLI::IsMember({"f32", "f16", "bf16"}))->capture_default_str();
  command->callback([flags] {
    bool const directory = std::filesystem::is_directory(flags->model);
    auto const config = directory ? graft::read_hf_config(flags->model) : graft::read_gguf_config(graft::GgufFile(flags->model));
    auto const storage = flags->dtype == "f16" ? graft::Storage::f16 : flags->dtype == "bf16" ? graft::Storage::bf16 : graft::Storage::f32;
    graft::write_lora_gguf(graft::read_lora(flags->adapter), config, flags->output, storage);
    std::cerr << "wrote " << flags->output << '\n';
  });
}

}  // namespace cli
