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
  };
  auto const flags = std::make_shared<Flags>();
  auto* command = app.add_subcommand("tokenize", "from standard input, {\"text\": …} or {\"messages\": …} a line: {\"ids\": […]}");
  command->add_option("--model", flags->model.model, "GGUF file or Hugging Face directory")->required();
  command->add_option("--chat-format", flags->model.chat_format, "default: the one of the model's template");
  command->add_flag("--add-special", flags->add_special, "begin and end a text with BOS and EOS where the tokenizer does");
  command->callback([flags] {
    auto const tokenizer = graft::open_tokenizer(flags->model.model);
    std::optional<graft::ChatFormat> format;
    std::string line;
    for (graft::Index number = 1; std::getline(std::cin, line); ++number) {
      if (graft::is_blank(line)) continue;
      try {
        std::set<std::string> ignored;
        auto const record = graft::parse_record(line, {}, ignored);
        std::vector<std::int32_t> ids;
        if (auto const* text = std::get_if<graft::TextRecord>(&record)) {
          ids = tokenizer.encode(text->text, {.add_special = flags->add_special});
        } else if (auto const* chat = std::get_if<graft::MessagesRecord>(&record)) {
          if (!format) format = chat_format(flags->model, tokenizer);
          ids = graft::encode_chat(tokenizer, *format, chat->messages).ids;
        } else {
          graft::fail("tokenize", "a line must have \"text\" or \"messages\"");
        }
        std::cout << nlohmann::json{{"ids", ids}}.dump() << '\n';
      } catch (graft::Error const& error) {
        graft::fail("tokenize", "line ", number, ": ", error.what());
      }
    }
  });
}

}  // namespace cli
