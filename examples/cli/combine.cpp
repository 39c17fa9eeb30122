// SPDX-License-Identifier: Apache-2.0
// graft combine: one adapter out of several, as PEFT's add_weighted_adapter.
#include "commands.hpp"

#include <graft/io/combine_adapters.hpp>

#include <iostream>
#include <memory>

namespace cli {

void add_combine(CLI::App& app) {
  struct Flags {
    std::vector<std::string> adapters;
    std::vector<double> weights;
    std::string combination = "linear";
    graft::CombineOptions options;
    std::string majority = "total", output;
  };
  auto const flags = std::make_shared<Flags>();
  auto* command = app.add_subcommand("combine", "make one LoRA adapter of several; graft merge then merges it into a model");
  command->add_option("--adapter", flags->adapters, "PEFT directories, one after the other")->required();
  command->add_option("--weights", flags->weights, "one for each adapter; default: 1 each")->delimiter(',');
  command->add_option("--combination", flags->combination,
                      "cat: the sum of the updates; svd: its best approximation of a rank; linear: the factors added; or ties, "
                      "dare_linear, dare_ties, magnitude_prune")
      ->capture_default_str();
  command->add_option("--svd-rank", flags->options.svd_rank, "of svd; 0: the largest of the adapters")
      ->check(CLI::NonNegativeNumber)->capture_default_str();
  command->add_option("--density", flags->options.density, "share of entries that ties, dare and magnitude_prune keep")->capture_default_str();
  command->add_option("--majority-sign", flags->majority, "how ties votes: by the sum of entries, or by their number")
      ->check(CLI::IsMember({"total", "frequency"}))->capture_default_str();
  command->add_option("--seed", flags->options.seed, "of dare's draws")->capture_default_str();
  command->add_option("--output", flags->output, "PEFT directory to write")->required();
  command->callback([flags] {
    if (flags->weights.empty()) flags->weights.assign(flags->adapters.size(), 1.0);
    flags->options.combination = graft::combination_named(flags->combination);
    flags->options.sign_by_count = flags->majority == "frequency";
    graft::combine_adapters({flags->adapters.begin(), flags->adapters.end()}, flags->weights, flags->options, flags->output);
    std::cerr << "wrote " << flags->output << '\n';
  });
}

}  // namespace cli
