// SPDX-License-Identifier: Apache-2.0
// graft tokenize: the token ids of texts and conversations, JSON lines in and out.
#include "commands.hpp"
#include "session.hpp"

#include <graft/data/record.hpp>
#include <graft/text/encode_chat.hpp>

#include <nlohmann/json.hpp>

#include <iostream>
#include <memory>

namespace cli {

void add_tokenize(CLI::App& app) {
  struct Flags {
    ModelFlags model;
    bool add_special = false;
    bool generation_prompt = false;
  };
  auto const flags = std::make_shared<Flags>();
  auto* command = app.add_subcommand("tokenize", "from standard input, {\"text\": …} or {\"messages\": …, \"tools\": …} a line: {\"ids\": […]}");
  command->add_option("--model", flags->model.model, "GGUF file or Hugging Face directory")->required();
  command->add_option("--chat-format", flags->model.chat_format, "default: the one of the model's template");
  command->add_flag("--add-special", flags->add_special, "begin and end a text with BOS and EOS where the tokenizer does");
  command->add_flag("--generation-prompt", flags->generation_prompt, "end a conversation where the assistant begins");
  command->callback([flags] {
    auto const tokenizer = graft::open_tokenizer(flags->model.model);
    std::optional<graft::ChatFormat> format;
    std::string line;
    for (graft::Index number = 1; std::getline(std::cin, line); ++number) {
      if (graft::is_blank(line)) continue;
      try {
        auto const record = nlohmann::json::parse(line);
        std::vector<std::int32_t> ids;
        if (record.contains("text")) {
          ids = tokenizer.encode(record.at("text").get<std::string>(), {.add_special = flags->add_special});
        } else if (record.contains("messages")) {
          if (!format) format = chat_format(flags->model, tokenizer);
          auto const conversation = graft::parse_conversation(line);
          ids = graft::encode_chat(tokenizer, *format, conversation.messages, {.add_generation_prompt = flags->generation_prompt, .tools = conversation.tools}).ids;
        } else {
          graft::fail("tokenize", "a line must have \"text\" or \"messages\"");
        }
        std::cout << nlohmann::json{{"ids", ids}}.dump() << '\n';
      } catch (std::exception const& error) {
        graft::fail("tokenize", "line ", number, ": ", error.what());
      }
    }
  });
}

}  // namespace cli
