// SPDX-License-Identifier: Apache-2.0
// graft merge: a model with its adapter merged in, as a Hugging Face directory.
#include "commands.hpp"
#include "session.hpp"

#include <graft/io/save_model.hpp>

#include <iostream>
#include <memory>

namespace cli {

void add_merge(CLI::App& app) {
  struct Flags {
    ModelFlags model;
    std::string output;
    std::string dtype = "f32";
  };
  auto const flags = std::make_shared<Flags>();
  auto* command = app.add_subcommand("merge", "write the model, with its adapter merged in, as a Hugging Face directory");
  add_model_flags(*command, flags->model);
  add_adapter_flag(*command, flags->model);
  command->add_option("--output", flags->output, "directory to write")->required();
  command->add_option("--dtype", flags->dtype, "of the weights written")
      ->check(CLI::IsMember({"f32", "bf16", "f16"}))
      ->capture_default_str();
  command->callback([flags] {
    Session session = open_model_session(flags->model);
    auto const storage = flags->dtype == "bf16"  ? graft::Storage::bf16
                         : flags->dtype == "f16" ? graft::Storage::f16
                                                 : graft::Storage::f32;
    graft::save_model(*session.model, session.files, flags->output, storage);
    std::cerr << "wrote " << flags->output << '\n';
  });
}

}  // namespace cli
