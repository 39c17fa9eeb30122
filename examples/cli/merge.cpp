// SPDX-License-Identifier: Apache-2.0
// graft merge: a model with its adapter merged in, as a Hugging Face directory or a GGUF file.
#include "commands.hpp"
#include "formats.hpp"
#include "session.hpp"

#include <memory>

namespace cli {

void add_merge(CLI::App& app) {
  struct Flags {
    ModelFlags model;
    std::string output;
    FormatFlags format;
  };
  auto const flags = std::make_shared<Flags>();
  auto* command = app.add_subcommand("merge", "write the model, with its adapter merged in");
  add_model_flags(*command, flags->model);
  add_adapter_flag(*command, flags->model);
  command->add_option("--output", flags->output, "directory or .gguf file to write")->required();
  add_format_flags(*command, flags->format, "f32");
  command->add_option("--dtype", flags->format.format, "the old name of --format")->check(CLI::IsMember({"f32", "bf16", "f16"}));
  command->callback([flags] {
    Session session = open_model_session(flags->model);
    save_in_format(*session.model, session.files, flags->output, flags->format);
  });
}

}  // namespace cli
