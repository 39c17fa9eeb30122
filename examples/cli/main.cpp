// SPDX-License-Identifier: Apache-2.0
// graft: fine-tune, judge and use language models from the command line. Each subcommand has its own file here.
#include "commands.hpp"

#include <graft/version.hpp>

#include <CLI/CLI.hpp>

#include <exception>
#include <iostream>

int main(int argc, char** argv) {
  CLI::App app{"graft: parameter-efficient fine-tuning of language models"};
  app.set_version_flag("--version", GRAFT_VERSION_STRING);
  app.require_subcommand(1);
  cli::add_sft(app);
  cli::add_nll(app);
  cli::add_generate(app);
  cli::add_chat(app);
  cli::add_merge(app);
  cli::add_tokenize(app);
  cli::add_evaluate(app);
  cli::add_inspect(app);
  try {
    app.parse(argc, argv);  // runs the subcommand
  } catch (CLI::ParseError const& error) {
    return app.exit(error);
  } catch (std::exception const& error) {
    std::cerr << "graft: " << error.what() << '\n';
    return 1;
  }
}
