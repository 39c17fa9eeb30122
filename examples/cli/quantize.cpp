// SPDX-License-Identifier: Apache-2.0
// graft quantize: a model in another format, one weight at a time.
#include "architectures.hpp"
#include "commands.hpp"
#include "formats.hpp"

#include <graft/core/parallel.hpp>
#include <graft/io/drawn_model.hpp>
#include <graft/io/stored_model.hpp>
#include <graft/model/geometry.hpp>

#include <cstdint>
#include <filesystem>
#include <iostream>
#include <memory>

namespace cli {

namespace {

struct QuantizeFlags {
  std::string model, output;
  FormatFlags format;
  std::uint64_t seed = 0;
  int threads = 0;
};

}  // namespace

/// A model of a published size with weights that are drawn.
static void quantize_drawn(QuantizeFlags const& flags) {
  graft::ModelFiles files;
  files.config = graft::geometry(flags.model);
  files.config.eos_token_ids = {256};
  files.tokenizer = std::make_shared<graft::Tokenizer const>(graft::byte_tokenizer_spec());
  graft::Dry dry;
  auto const words = graft::storage_named(flags.format.dtype);
  auto const plan = plan_any(files.config, graft::Selected{}, dry, graft::planned_weights(words, words));
  save_in_format(graft::DrawnModel(files.config, plan.weights(), flags.seed), files, flags.output, flags.format);
}

void add_quantize(CLI::App& app) {
  auto const flags = std::make_shared<QuantizeFlags>();
  auto* command = app.add_subcommand("quantize", "write a model in another format, one weight at a time");
  command->add_option("--model", flags->model, "GGUF file, Hugging Face directory, or a size whose weights are drawn: " + graft::geometry_names())
      ->required();
  command->add_option("--output", flags->output, "directory or .gguf file to write")->required();
  add_format_flags(*command, flags->format, "nf4");
  command->add_option("--seed", flags->seed, "of weights that are drawn")->capture_default_str();
  command->add_option("--threads", flags->threads, "0: one for each core")->check(CLI::NonNegativeNumber)->capture_default_str();
  command->callback([flags] {
    if (flags->threads > 0) graft::set_num_threads(flags->threads);
    if (!std::filesystem::exists(flags->model)) return quantize_drawn(*flags);
    auto const files = graft::open_model(flags->model);
    save_in_format(graft::StoredModel(files), files, flags->output, flags->format);
  });
}

}  // namespace cli
