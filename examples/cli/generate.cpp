// SPDX-License-Identifier: Apache-2.0
// graft generate: continues the prompts of a file, a JSON line each.
#include "answers.hpp"
#include "commands.hpp"
#include "generation_flags.hpp"
#include "prompts.hpp"

#include <nlohmann/json.hpp>

#include <iostream>
#include <memory>

namespace cli {

void add_generate(CLI::App& app) {
  struct Flags {
    ModelFlags model;
    GenerationFlags generation;
    std::string prompts;
    std::vector<std::string> stop;
    graft::Index batch = 32;
  };
  auto const flags = std::make_shared<Flags>();
  auto* command = app.add_subcommand("generate", "answer prompts: {\"text\": answer, \"ids\": its tokens, the end token included}");
  add_model_flags(*command, flags->model);
  add_adapter_flag(*command, flags->model);
  add_generation_flags(*command, flags->generation);
  command->add_option("--prompts", flags->prompts, "JSONL file of {\"prompt\": string or messages}")->required();
  command->add_option("--stop", flags->stop, "strings that end an answer");
  command->add_option("--batch-size", flags->batch, "answers made together")->check(CLI::PositiveNumber)->capture_default_str();
  command->callback([flags] {
    Session session = open_model_session(flags->model);
    auto const prompts = read_prompts(flags->prompts, session, flags->model);
    auto const answers = answer(session, prompts,
                                {.max_new_tokens = flags->generation.max_new_tokens,
                                 .sampling = sampling(flags->generation),
                                 .batch = flags->batch},
                                flags->stop);
    for (auto const& answer : answers)
      std::cout << nlohmann::ordered_json{{"text", answer.text}, {"ids", answer.ids}}.dump() << '\n';
  });
}

}  // namespace cli
