// SPDX-License-Identifier: Apache-2.0
// graft chat: talk with a model at the terminal.
#include "commands.hpp"
#include "generation_flags.hpp"
#include "session.hpp"

#include <graft/model/generate.hpp>
#include <graft/text/encode_chat.hpp>
#include <graft/text/streaming_decoder.hpp>

#include <iostream>
#include <memory>

namespace cli {

void add_chat(CLI::App& app) {
  struct Flags {
    ModelFlags model;
    GenerationFlags generation;
    std::string system;
  };
  auto const flags = std::make_shared<Flags>();
  auto* command = app.add_subcommand("chat", "talk with a model; an empty line starts anew, end of input ends");
  add_model_flags(*command, flags->model);
  add_adapter_flag(*command, flags->model);
  add_generation_flags(*command, flags->generation);
  command->add_option("--system", flags->system, "system message");
  command->callback([flags] {
    Session session = open_model_session(flags->model);
    auto const format = chat_format(flags->model, session.tokenizer());
    auto const ends = stop_ids(session, &format);
    std::vector<graft::Message> messages;
    auto const restart = [&] {
      messages.clear();
      if (!flags->system.empty()) messages.push_back({"system", flags->system});
    };
    restart();
    std::string line;
    while (std::cout << "> " << std::flush && std::getline(std::cin, line)) {
      if (line.empty()) {
        restart();
        continue;
      }
      messages.push_back({"user", line});
      std::vector<std::vector<std::int32_t>> const prompt{
          graft::encode_chat(session.tokenizer(), format, messages, {.add_generation_prompt = true}).ids};
      graft::StreamingDecoder decoder(session.tokenizer(), true);
      std::string answer;
      graft::GenerationOptions options;
      options.max_new_tokens = flags->generation.max_new_tokens;
      options.sampling = sampling(flags->generation);
      options.stop_ids = ends;
      options.on_token = [&](std::size_t, std::span<std::int32_t const> ids) {
        std::string const piece = decoder.push(ids.back());
        answer += piece;
        std::cout << piece << std::flush;
        return false;
      };
      (void)graft::generate(*session.model, prompt, options);
      std::cout << decoder.finish() << '\n';
      messages.push_back({"assistant", answer});
    }
    std::cout << '\n';
  });
}

}  // namespace cli
