// SPDX-License-Identifier: Apache-2.0
// graft quantize: a model in another format, one weight at a time.
#include "commands.hpp"
#include "formats.hpp"

#include <graft/core/parallel.hpp>
#include <graft/io/stored_model.hpp>

#include <iostream>
#include <memory>

namespace cli {

void add_quantize(CLI::App& app) {
  struct Flags {
    std::string model, output;
    FormatFlags format;
    int threads = 0;
  };
  auto const flags = std::make_shared<Flags>();
  auto* command = app.add_subcommand("quantize", "write a model in another format, one weight at a time");
  command->add_option("--model", flags->model, "GGUF file or Hugging Face directory")->required();
  command->add_option("--output", flags->output, "directory or .gguf file to write")->required();
  add_format_flags(*command, flags->format, "nf4");
  command->add_option("--threads", flags->threads, "0: one for each core")->check(CLI::NonNegativeNumber)->capture_default_str();
  command->callback([flags] {
    if (flags->threads > 0) graft::set_num_threads(flags->threads);
    auto const files = graft::open_model(flags->model);
    save_in_format(graft::StoredModel(files), files, flags->output, flags->format);
  });
}

}  // namespace cli
