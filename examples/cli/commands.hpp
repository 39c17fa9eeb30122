// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>

namespace cli {

// Each adds its subcommand, with its flags and what to do, to the program. One file each.
void add_sft(CLI::App& app);
void add_reward(CLI::App& app);
void add_score(CLI::App& app);
void add_grpo(CLI::App& app);
void add_ppo(CLI::App& app);
void add_online_dpo(CLI::App& app);
void add_dpo(CLI::App& app);
void add_kto(CLI::App& app);
void add_rlhf(CLI::App& app);
void add_rlaif(CLI::App& app);
void add_nll(CLI::App& app);
void add_generate(CLI::App& app);
void add_chat(CLI::App& app);
void add_merge(CLI::App& app);
void add_combine(CLI::App& app);
void add_export_lora(CLI::App& app);
void add_tokenize(CLI::App& app);
void add_evaluate(CLI::App& app);
void add_inspect(CLI::App& app);
void add_plan(CLI::App& app);
void add_quantize(CLI::App& app);

}  // namespace cli
