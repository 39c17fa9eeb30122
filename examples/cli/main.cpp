// SPDX-License-Identifier: Apache-2.0
// graft: fine-tune, judge and use language models from the command line. Each subcommand has its own file here.
#include "commands.hpp"

#include <graft/version.hpp>

#include <CLI/CLI.hpp>

#include <cstdlib>
#include <exception>
#include <iostream>
#include <unistd.h>

/// Threads that wait for each other spin; libgomp's default of milliseconds costs a factor of ten when another program wants
/// one of the cores (seen: 25 instead of 120 tok/s). The runtime reads its settings when it is loaded, so the program sets
/// a short one and starts again, once, unless the user has set one.
static void spin_briefly(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") != nullptr || std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  ::setenv("GOMP_SPINCOUNT", "10000", 1);
  ::execv("/proc/self/exe", argv);  // returns only where that fails; then the default stays
}

int main(int argc, char** argv) {
  spin_briefly(argv);
  CLI::App app{"graft: parameter-efficient fine-tuning of language models"};
  app.set_version_flag("--version", GRAFT_VERSION_STRING);
  app.require_subcommand(1);
  cli::add_sft(app);
  cli::add_reward(app);
  cli::add_grpo(app);
  cli::add_ppo(app);
  cli::add_online_dpo(app);
  cli::add_dpo(app);
  cli::add_kto(app);
  cli::add_rlhf(app);
  cli::add_rlaif(app);
  cli::add_nll(app);
  cli::add_score(app);
  cli::add_generate(app);
  cli::add_chat(app);
  cli::add_merge(app);
  cli::add_combine(app);
  cli::add_export_lora(app);
  cli::add_tokenize(app);
  cli::add_evaluate(app);
  cli::add_inspect(app);
  cli::add_plan(app);
  cli::add_quantize(app);
  try {
    app.parse(argc, argv);  // runs the subcommand
  } catch (CLI::ParseError const& error) {
    return app.exit(error);
  } catch (std::exception const& error) {
    std::cerr << "graft: " << error.what() << '\n';
    return 1;
  }
}
