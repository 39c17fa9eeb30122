// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/text/chat_format.hpp>
#include <graft/text/unicode_class.hpp>
#include <graft/text/utf8.hpp>

#include <utility>

namespace graft {
namespace detail {

/// Python's `str.strip`, which is Jinja's `trim`: White_Space and the four separators U+001C to U+001F.
[[nodiscard]] inline std::string_view strip(std::string_view text) {
  auto const blank = [&text](Index at) {
    Utf8Step const step = utf8_step(text, at);
    return step.valid && ((unicode_class(step.value) & char_class::space) || (step.value >= 0x1C && step.value < 0x20));
  };
  Index begin = 0;
  auto end = static_cast<Index>(text.size());
  while (begin < end && blank(begin)) begin += utf8_step(text, begin).length;
  while (end > begin && blank(previous_code_point(text, end))) end = previous_code_point(text, end);
  return slice(text, begin, end);
}

[[nodiscard]] inline std::string joined_names(std::vector<std::string> const& names) {
  std::string out;
  for (std::string const& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

/// The three usual roles with one way of writing turns.
[[nodiscard]] inline std::map<std::string, ChatTurn> turns(std::string const& open, std::string const& close,
                                                           std::string const& suffix) {
  std::map<std::string, ChatTurn> out;
  for (std::string const role : {"system", "user", "assistant"}) out[role] = {open + role + close, suffix};
  return out;
}

}  // namespace detail

GRAFT_INLINE ChatFormat::ChatFormat(ChatFormatSpec spec) : spec_(std::move(spec)) {
  for (char const* role : {"user", "assistant"})
    require(spec_.roles.contains(role), "chat", "a chat format must define the role \"", role, "\": format ", spec_.name,
            " does not");
  require(spec_.roles.at("assistant").prefix.starts_with(spec_.generation_prompt), "chat",
          "the assistant's prefix must begin with the generation prompt: format ", spec_.name, " has \"",
          spec_.roles.at("assistant").prefix, "\" and \"", spec_.generation_prompt, "\"");
  require(!spec_.default_system || (spec_.system == SystemPlacement::own_turn && spec_.roles.contains("system")), "chat",
          "a default system message needs a system turn: format ", spec_.name, " has none");
}

GRAFT_INLINE std::vector<std::string> ChatFormat::names() {
  return {"chatml", "llama3", "llama3.1", "gemma", "gemma2", "mistral", "zephyr", "plain"};
}

GRAFT_INLINE ChatFormat ChatFormat::named(std::string_view name, ChatSpecials const& specials) {
  ChatFormatSpec spec;
  spec.name = name;
  if (name == "chatml") {
    spec.roles = detail::turns("<|im_start|>", "\n", "<|im_end|>\n");
    spec.generation_prompt = "<|im_start|>assistant\n";
    spec.end_of_turn = "<|im_end|>";
  } else if (name == "llama3" || name == "llama3.1") {
    spec.begin = specials.bos.value_or("<|begin_of_text|>");
    spec.roles = detail::turns("<|start_header_id|>", "<|end_header_id|>\n\n", "<|eot_id|>");
    spec.generation_prompt = "<|start_header_id|>assistant<|end_header_id|>\n\n";
    spec.end_of_turn = "<|eot_id|>";
    spec.trim = true;
    if (name == "llama3.1") {  // the date is the one that the template itself falls back to
      spec.roles["system"].prefix += "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n";
      spec.default_system = "";
    }
  } else if (name == "gemma" || name == "gemma2") {
    spec.begin = specials.bos.value_or("<bos>");
    spec.roles = {{"user", {"<start_of_turn>user\n", "<end_of_turn>\n"}},
                  {"assistant", {"<start_of_turn>model\n", "<end_of_turn>\n"}}};
    spec.generation_prompt = "<start_of_turn>model\n";
    spec.end_of_turn = "<end_of_turn>";
    spec.system = name == "gemma" ? SystemPlacement::first_user : SystemPlacement::refused;
    spec.trim = true;
    spec.alternate = true;
  } else if (name == "mistral") {
    std::string const eos = specials.eos.value_or("</s>");
    spec.begin = specials.bos.value_or("<s>");
    spec.roles = {{"user", {" [INST] ", " [/INST]"}}, {"assistant", {" ", eos}}};
    spec.end_of_turn = eos;
    spec.system = SystemPlacement::first_user;
    spec.alternate = true;
  } else if (name == "zephyr") {
    std::string const eos = specials.eos.value_or("</s>");
    spec.roles = detail::turns("<|", "|>\n", eos + "\n");
    spec.generation_prompt = "<|assistant|>\n";
    spec.end_of_turn = eos;
  } else if (name == "plain") {
    std::string const eos = specials.eos.value_or("");
    spec.begin = specials.bos.value_or("");
    spec.roles = {{"system", {"", "\n\n"}}, {"user", {"User:\n", "\n\n"}}, {"assistant", {"Assistant:\n", eos + "\n\n"}}};
    spec.generation_prompt = "Assistant:\n";
    spec.end_of_turn = eos;
  } else {
    fail("chat", "a chat format must be one of ", detail::joined_names(names()), ", or defined by a ChatFormatSpec: got \"",
         name, "\"");
  }
  return ChatFormat(std::move(spec));
}

GRAFT_INLINE std::vector<Segment> ChatFormat::render(std::span<Message const> messages,
                                                     RenderOptions const& options) const {
  require(!messages.empty(), "chat", "a conversation must have at least one message: got none for format ", spec_.name);
  std::vector<Segment> out;
  auto const put = [&out](std::string text, int message, bool supervised, bool special = true) {
    if (!text.empty()) out.push_back({std::move(text), special, supervised, message});
  };
  put(spec_.begin, -1, false);

  bool const system_first = messages.front().role == "system";
  if (spec_.default_system && !system_first) {
    ChatTurn const& turn = spec_.roles.at("system");
    put(turn.prefix + *spec_.default_system + turn.suffix, -1, false);
  }
  bool const merge_system = system_first && spec_.system == SystemPlacement::first_user;
  require(!merge_system || messages.size() > 1, "chat", "format ", spec_.name,
          " puts the system message into the first user message: there is no user message");
  for (std::size_t i = merge_system ? 1 : 0; i < messages.size(); ++i) {
    auto const& [role, content] = messages[i];
    auto const index = static_cast<int>(i);
    require(role != "system" || spec_.system == SystemPlacement::own_turn, "chat", "format ", spec_.name,
            spec_.system == SystemPlacement::refused ? " has no system role" : " takes a system message only at the start",
            ": message ", i, " is one");
    auto const turn = spec_.roles.find(role);
    if (turn == spec_.roles.end()) {
      std::vector<std::string> known;
      for (auto const& entry : spec_.roles) known.push_back(entry.first);
      fail("chat", "a role of format ", spec_.name, " must be one of ", detail::joined_names(known), ": got \"", role,
           "\" in message ", i);
    }
    bool const user_turn = (i - (merge_system ? 1 : 0)) % 2 == 0;
    require(!spec_.alternate || (role == "user") == user_turn, "chat", "in format ", spec_.name,
            " user and assistant must take turns, the user first: message ", i, " has role \"", role, "\"");

    bool const assistant = role == "assistant";
    bool const special = options.parse_special_in_content;
    std::string const& prefix = turn->second.prefix;
    std::size_t const prompt = assistant ? spec_.generation_prompt.size() : prefix.size();
    put(prefix.substr(0, prompt), index, false);
    put(prefix.substr(prompt), index, assistant);
    if (merge_system && i == 1) {
      put(messages.front().content, 0, false, special);
      put(spec_.system_separator, 0, false);
    }
    put(std::string(spec_.trim ? detail::strip(content) : std::string_view(content)), index, assistant, special);
    put(turn->second.suffix, index, assistant);
  }
  if (options.add_generation_prompt) {
    put(spec_.generation_prompt, -1, false);
  } else if (spec_.always_generation_prompt) {  // to TRL it is part of what follows the last answer's prompt
    bool const answered = messages.back().role == "assistant";
    put(spec_.generation_prompt, answered ? static_cast<int>(messages.size()) - 1 : -1, answered);
  }
  return out;
}

}  // namespace graft
