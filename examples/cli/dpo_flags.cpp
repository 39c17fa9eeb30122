// SPDX-License-Identifier: Apache-2.0
#include "dpo_flags.hpp"

namespace cli {

void add_dpo_flags(CLI::App& app, DpoFlags& flags) {
  auto const groups = add_training_flags(app, flags);
  groups.data->add_option("--truncation-mode", flags.truncation_mode, "which end of a record that is too long is kept")
      ->check(CLI::IsMember({"keep_start", "keep_end"}))->capture_default_str();
  groups.data->add_flag("--no-shared-prompts", flags.no_shared_prompts, "compute the prompt of a pair for each of its answers");
  auto* loss = app.add_option_group("preferences");
  add_preference_flags(*loss, flags);
  add_objective_flags(*loss, flags);
}

void add_dpo_options(RunOptions& options, DpoFlags const& flags) {
  add_preference_options(options, flags);
  add_objective_options(options, flags);
  set_option(options, "truncation-mode", flags.truncation_mode);
  set_option(options, "no-shared-prompts", flags.no_shared_prompts);
}

}  // namespace cli
