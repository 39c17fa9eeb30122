// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/adapter/lora.hpp>
#include <graft/config.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace graft {

/// What stands in an adapter_config.json beside the hyper-parameters of LoRA.
struct PeftOrigin {
  std::string base_model;  ///< base_model_name_or_path
  bool fan_in_fan_out = false;
  std::string task_type = "CAUSAL_LM";  ///< SEQ_CLS: beside the adapter there is a score head
};

/// The `target_modules` to write for an adapter on `adapted` of the linear modules `modules`: the last parts of the names
/// ("q_proj") where these describe the set, else the full names. vLLM and llama.cpp want a list.
[[nodiscard]] std::vector<std::string> peft_target_modules(std::vector<std::string> const& adapted,
                                                           std::vector<std::string> const& modules);

/// Writes adapter_config.json into `directory`, with the keys that PEFT, vLLM and llama.cpp's converter read. For SEQ_CLS,
/// `score` is named among the modules to save.
void write_peft_config(std::filesystem::path const& directory, Lora const& lora, PeftOrigin const& origin,
                       std::vector<std::string> const& target_modules);

/// Reads adapter_config.json. Keys that are absent have PEFT's defaults. Errors: not a LoRA; a setting that changes the
/// result and that graft does not compute (use_dora, lora_bias, …) or a key that it does not know, unless it is empty.
[[nodiscard]] Lora read_peft_config(std::filesystem::path const& directory, PeftOrigin* origin = nullptr);

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/io/peft_config.tpp>
#endif
