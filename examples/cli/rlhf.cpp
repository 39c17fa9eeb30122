// SPDX-License-Identifier: Apache-2.0
// graft rlhf: supervised fine-tuning, a reward model and PPO (or DPO) on one file of preferences, in one command on one resident base.
// Source: Ouyang et al., "Training language models to follow instructions with human feedback", 2022.
#include "alignment.hpp"
#include "commands.hpp"

#include <memory>

namespace cli {

static void rlhf(AlignmentFlags flags) {
  Session session = open_run_session(flags.model, flags.output, true);
  Stages stages(flags.output, flags.until);
  if (flags.reward.eval_data.empty()) flags.reward.eval_data = flags.eval_data;
  if (!sft_stage(flags, session, stages, flags.data, "chosen")) return;
  if (!reward_stage(flags, session, stages, flags.data)) return;
  if (!policy_stage(flags, session, stages, flags.data)) return;
  if (flags.eval_data.empty()) return;
  report_policies(evaluate_alignment(flags, session, stages, flags.data, ""), stages);
}

void add_rlhf(CLI::App& app) {
  auto const flags = std::make_shared<AlignmentFlags>();
  auto* command = app.add_subcommand("rlhf", "SFT, reward model and PPO (or DPO) on preferences, one after the other");
  add_alignment_flags(*command, *flags, "JSONL file of pairs: prompt, chosen, rejected, as messages");
  command->callback([flags] { rlhf(*flags); });
}

}  // namespace cli
