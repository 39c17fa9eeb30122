// SPDX-License-Identifier: Apache-2.0
// graft quantize: a model in another format, one weight at a time.
#include "architectures.hpp"
#include "commands.hpp"
#include "formats.hpp"

#include <graft/core/parallel.hpp>
#include <graft/io/drawn_model.hpp>
#include <graft/io/started_model.hpp>
#include <graft/io/stored_model.hpp>
#include <graft/model/geometry.hpp>

#include <cstdint>
#include <filesystem>
#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace cli {

namespace {

struct QuantizeFlags {
  std::string model, output;
  FormatFlags format;
  std::uint64_t seed = 0;
  int threads = 0;
  // An adapter that starts from the weights.
  std::string init_lora_weights, adapter_output;
  graft::Lora lora{.rank = 16, .alpha = 32};
  std::vector<std::string> target_modules{"all-linear"}, exclude_modules;
  graft::Index loftq_iterations = 1;
};

}  // namespace

/// A model of a published size with weights that are drawn.
static void quantize_drawn(QuantizeFlags const& flags) {
  graft::ModelFiles files;
  files.config = published_sizes(flags.model);
  files.config.eos_token_ids = {256};
  files.tokenizer = std::make_shared<graft::Tokenizer const>(graft::byte_tokenizer_spec());
  graft::Dry dry;
  auto const words = graft::storage_named(flags.format.dtype);
  auto const plan = plan_any(files.config, graft::Selected{}, dry, graft::planned_weights(words, words));
  save_in_format(graft::DrawnModel(files.config, plan.weights(), flags.seed), files, flags.output, flags.format);
}

/// The model less what an adapter starts with, and the adapter.
static void quantize_and_start(QuantizeFlags const& flags, graft::ModelFiles const& files) {
  graft::require(!flags.adapter_output.empty(), "quantize", "--init-lora-weights makes an adapter: name its directory by --adapter-output");
  auto options = graft::low_rank_start_named(flags.init_lora_weights);
  options.loftq_iterations = flags.loftq_iterations;
  options.seed = flags.seed;
  graft::require(options.start != graft::LowRankStart::loftq || graft::is_quantized(graft::storage_named(flags.format.format)), "loftq",
                 "makes up for what quantising loses, and ", flags.format.format, " is no quantised format");
  graft::Lora lora = flags.lora;
  lora.seed = flags.seed;
  if (flags.target_modules != std::vector<std::string>{"all-linear"}) lora.target_modules = graft::TargetModules(flags.target_modules);
  lora.exclude_modules = graft::TargetModules(flags.exclude_modules);
  graft::StartedModel const model(files, lora, options, [&](std::span<float> values, std::vector<graft::Index> const& shape) {
    quantise_in_format(flags.format, values, shape);
  });
  save_in_format(model, files, flags.output, flags.format);
  model.save_adapter(flags.adapter_output, flags.output);
  std::cerr << "wrote the adapter of rank " << lora.rank << " on " << model.adapted_modules().size() << " modules to " << flags.adapter_output
            << ": graft sft --model " << flags.output << " --init-adapter " << flags.adapter_output << '\n';
}

void add_quantize(CLI::App& app) {
  auto const flags = std::make_shared<QuantizeFlags>();
  auto* command = app.add_subcommand("quantize", "write a model in another format, one weight at a time");
  command->add_option("--model", flags->model, "GGUF file, Hugging Face directory, or a size whose weights are drawn: " + graft::geometry_names())
      ->required();
  command->add_option("--output", flags->output, "directory or .gguf file to write")->required();
  add_format_flags(*command, flags->format, "nf4");
  command->add_option("--seed", flags->seed, "of weights that are drawn, and of the directions that a randomised decomposition begins with")->capture_default_str();
  auto* start = command->add_option_group("adapter", "an adapter that starts from the weights it sits on");
  start->add_option("--init-lora-weights", flags->init_lora_weights,
                    "pissa, pissa_niter_N, olora: the base keeps what they leave; loftq, loftq_niter_N: they make up for the quantising");
  start->add_option("--adapter-output", flags->adapter_output, "PEFT directory to write the adapter to");
  start->add_option("--rank", flags->lora.rank, "of the adapter's matrices")->capture_default_str();
  start->add_option("--alpha", flags->lora.alpha, "the update is scaled by alpha / rank")->capture_default_str();
  start->add_flag("--rslora", flags->lora.rank_stabilized, "scale by alpha / sqrt(rank)");
  start->add_option("--target-modules", flags->target_modules, "all-linear, or names such as q_proj,v_proj")->delimiter(',')->capture_default_str();
  start->add_option("--exclude-modules", flags->exclude_modules, "modules that get no adapter")->delimiter(',');
  start->add_option("--loftq-iterations", flags->loftq_iterations, "turns of quantising and decomposing")->check(CLI::PositiveNumber)->capture_default_str();
  command->add_option("--threads", flags->threads, "0: one for each core")->check(CLI::NonNegativeNumber)->capture_default_str();
  command->callback([flags] {
    if (flags->threads > 0) graft::set_num_threads(flags->threads);
    if (!std::filesystem::exists(flags->model)) return quantize_drawn(*flags);
    auto const files = graft::open_model(flags->model);
    if (!flags->init_lora_weights.empty()) return quantize_and_start(*flags, files);
    save_in_format(graft::StoredModel(files), files, flags->output, flags->format);
  });
}

}  // namespace cli
