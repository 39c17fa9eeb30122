// SPDX-License-Identifier: Apache-2.0
// graft grpo: learning from the rewards of several completions of a prompt, held against each other. Also RLOO and REINFORCE++.
#include "commands.hpp"
#include "policy_flags.hpp"

#include <map>
#include <memory>
#include <string>

namespace cli {

void add_grpo(CLI::App& app) {
  using namespace graft;
  auto const flags = std::make_shared<PolicyFlags>();
  flags->learning_rate = 1e-5;
  flags->batch_size = 2;
  auto* command = app.add_subcommand("grpo", "learn from verifiable rewards: GRPO, RLOO, REINFORCE++");
  auto const groups = add_training_flags(*command, *flags);
  add_policy_flags(*command, *flags, groups);
  auto& learning = flags->learning;
  auto* learn = groups.optimization;
  auto const choice = [&](char const* name, auto& value, auto names, char const* what) {
    std::string known, given;
    for (auto const& [text, candidate] : names) {
      known += (known.empty() ? "" : ",") + text;
      if (candidate == value) given = text;
    }
    learn->add_option(name, value, what)->transform(CLI::CheckedTransformer(std::move(names)))->option_text("TEXT:{" + known + "}=" + given);
  };
  choice("--advantages", learning.advantages,
         std::map<std::string, AdvantageMethod>{{"grpo", AdvantageMethod::grpo}, {"rloo", AdvantageMethod::rloo},
                                                {"reinforce_pp", AdvantageMethod::reinforce_pp},
                                                {"reinforce_pp_baseline", AdvantageMethod::reinforce_pp_baseline}},
         "what a completion is held against; all but grpo have the KL in the reward");
  choice("--scale-rewards", learning.scale_rewards,
         std::map<std::string, ScaleRewards>{{"group", ScaleRewards::group}, {"batch", ScaleRewards::batch}, {"none", ScaleRewards::none}},
         "whose standard deviation divides a GRPO advantage");
  choice("--loss-type", learning.loss.aggregation,
         std::map<std::string, PolicyAggregation>{{"grpo", PolicyAggregation::grpo}, {"bnpo", PolicyAggregation::bnpo},
                                                  {"dapo", PolicyAggregation::dapo}, {"dr_grpo", PolicyAggregation::dr_grpo}},
         "how the tokens' losses become one number");
  choice("--importance-sampling-level", learning.loss.importance_level,
         std::map<std::string, ImportanceLevel>{{"token", ImportanceLevel::token}, {"sequence", ImportanceLevel::sequence},
                                                {"sequence_product", ImportanceLevel::sequence_product}},
         "what a ratio is of: a token, a completion's mean (GSPO), a whole completion (TRL's RLOO)");
  learn->add_option("--delta", learning.loss.delta, "largest ratio of the unclipped branch; 0: none")->capture_default_str();
  learn->add_flag("--normalize-advantages", learning.normalize_advantages, "of RLOO: mean 0 and deviation 1 over the rollout");
  command->callback([flags] {
    Session session = open_run_session(flags->model, flags->output, flags->resume);
    run_policy(*flags, session);
  });
}

}  // namespace cli
