// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/text/chat_format.hpp>
#include <graft/text/unicode_class.hpp>
#include <graft/text/utf8.hpp>

#include <initializer_list>
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

/// Roles with one way of writing turns.
[[nodiscard]] inline std::map<std::string, ChatTurn> turns(std::string const& open, std::string const& close,
                                                           std::string const& suffix,
                                                           std::initializer_list<std::string> roles = {"system", "user", "assistant"}) {
  std::map<std::string, ChatTurn> out;
  for (std::string const& role : roles) out[role] = {open + role + close, suffix};
  return out;
}

/// What a message says and calls, without what stands around it.
[[nodiscard]] inline std::string content_and_calls(ChatFormatSpec const& format, Message const& message, std::size_t number) {
  std::string text(format.trim ? strip(message.content) : std::string_view(message.content));
  if (message.tool_calls.empty()) return text;
  require(format.tools && message.role == "assistant", "chat", "format ", format.name, " has no form for tool_calls of the role \"", message.role, "\": message ",
          number, " has some");
  auto const calls = message.tool_calls.size();
  require(!format.tools->single_call || calls == 1, "chat", "a message of format ", format.name, " calls one tool at a time: message ", number, " calls ", calls);
  if (format.tools->call_replaces_content) text.clear();
  for (ToolCall const& call : message.tool_calls)
    text += (text.empty() ? "" : format.tools->call_separator) + tool_call_text(*format.tools, call);
  return text;
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
  require(!spec_.tools || spec_.tools->placement != ToolPlacement::system_end || spec_.roles.contains("system"), "chat",
          "tools at the end of the system turn need one: format ", spec_.name, " has none");
}

GRAFT_INLINE std::vector<std::string> ChatFormat::names() {
  return {"chatml", "llama3", "llama3.1", "gemma", "gemma2", "mistral", "zephyr", "plain"};
}

GRAFT_INLINE ChatFormat ChatFormat::named(std::string_view name, ChatSpecials const& specials) {
  ChatFormatSpec spec;
  spec.name = name;
  if (name == "chatml") {
    spec.roles = detail::turns("<|im_start|>", "\n", "<|im_end|>\n", {"system", "user", "assistant", "tool"});
    spec.generation_prompt = "<|im_start|>assistant\n";
    spec.end_of_turn = "<|im_end|>";
  } else if (name == "llama3" || name == "llama3.1") {
    spec.begin = specials.bos.value_or("<|begin_of_text|>");
    spec.roles = detail::turns("<|start_header_id|>", "<|end_header_id|>\n\n", "<|eot_id|>", {"system", "user", "assistant", "tool"});
    spec.generation_prompt = "<|start_header_id|>assistant<|end_header_id|>\n\n";
    spec.end_of_turn = "<|eot_id|>";
    spec.trim = true;
    if (name == "llama3.1") {  // the date is the one that the template itself falls back to
      spec.roles["system"].prefix += "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n";
      spec.default_system = "";
      spec.roles.erase("tool");  // its template has a form of its own for results, see ToolFormatSpec
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
  require(options.tools.empty() || spec_.tools, "chat", "format ", spec_.name, " has no place for a list of tools: got ", options.tools.size());
  std::vector<Segment> out;
  auto const put = [&out](std::string text, int message, bool supervised, bool special = true) {
    if (!text.empty()) out.push_back({std::move(text), special, supervised, message});
  };
  bool const special = options.parse_special_in_content;
  put(spec_.begin, -1, false);

  std::string const tools = options.tools.empty() ? "" : detail::tool_list_text(*spec_.tools, options.tools);
  bool const in_system = !tools.empty() && spec_.tools->placement == ToolPlacement::system_end;
  bool in_user = !tools.empty() && !in_system;
  bool const system_first = messages.front().role == "system";
  auto const put_tools_behind_system = [&](int message, bool said) {
    if (in_system) put((said ? spec_.tools->system_separator : "") + tools, message, false, special);
  };
  auto const system_prefix = [&](ChatTurn const& turn) {
    return tools.empty() ? turn.prefix : spec_.tools->system_prefix.value_or(turn.prefix);
  };
  if (!system_first && (spec_.default_system || in_system)) {
    ChatTurn const& turn = spec_.roles.at("system");
    put(system_prefix(turn) + spec_.default_system.value_or(""), -1, false);
    put_tools_behind_system(-1, spec_.default_system.has_value());
    put(turn.suffix, -1, false);
  }
  bool const merge_system = system_first && spec_.system == SystemPlacement::first_user;
  require(!merge_system || messages.size() > 1, "chat", "format ", spec_.name,
          " puts the system message into the first user message: there is no user message");
  for (std::size_t i = merge_system ? 1 : 0; i < messages.size(); ++i) {
    auto const& [role, content, calls] = messages[i];
    auto const index = static_cast<int>(i);
    require(role != "system" || spec_.system == SystemPlacement::own_turn, "chat", "format ", spec_.name,
            spec_.system == SystemPlacement::refused ? " has no system role" : " takes a system message only at the start",
            ": message ", i, " is one");
    if (role == "tool" && spec_.tools) {
      auto const beside = [&](std::size_t other) { return spec_.tools->results_share_turn && other < messages.size() && messages[other].role == "tool"; };
      if (!beside(i - 1)) put(spec_.tools->results.prefix, index, false);
      put(spec_.tools->result.prefix, index, false);
      put(spec_.tools->result_as_json ? detail::json_quoted(content) : content, index, false, special);
      put(spec_.tools->result.suffix, index, false);
      if (!beside(i + 1)) put(spec_.tools->results.suffix, index, false);
      continue;
    }
    auto const turn = spec_.roles.find(role);
    if (turn == spec_.roles.end()) {
      std::vector<std::string> known;
      for (auto const& entry : spec_.roles) known.push_back(entry.first);
      if (spec_.tools) known.emplace_back("tool");
      fail("chat", "a role of format ", spec_.name, " must be one of ", detail::joined_names(known), ": got \"", role,
           "\" in message ", i);
    }
    bool const user_turn = (i - (merge_system ? 1 : 0)) % 2 == 0;
    require(!spec_.alternate || (role == "user") == user_turn, "chat", "in format ", spec_.name,
            " user and assistant must take turns, the user first: message ", i, " has role \"", role, "\"");

    bool const assistant = role == "assistant";
    std::string const prefix = role == "system" && i == 0 ? system_prefix(turn->second) : turn->second.prefix;
    std::size_t const prompt = assistant ? spec_.generation_prompt.size() : prefix.size();
    put(prefix.substr(0, prompt), index, false);
    put(prefix.substr(prompt), index, assistant);
    if (merge_system && i == 1) {
      put(messages.front().content, 0, false, special);
      put(spec_.system_separator, 0, false);
    }
    if (in_user && role != "system") {
      require(role == "user", "chat", "format ", spec_.name, " puts the tools into the first user message: message ", i, " has role \"", role, "\"");
      put(tools, index, false, special);
      in_user = false;
    }
    put(detail::content_and_calls(spec_, messages[i], i), index, assistant, special);
    if (role == "system" && i == 0) put_tools_behind_system(index, true);
    put(turn->second.suffix, index, assistant);
  }
  require(!in_user, "chat", "format ", spec_.name, " puts the tools into the first user message: there is none");
  if (options.add_generation_prompt) {
    put(spec_.generation_prompt, -1, false);
  } else if (spec_.always_generation_prompt) {  // to TRL it is part of what follows the last answer's prompt
    bool const answered = messages.back().role == "assistant";
    put(spec_.generation_prompt, answered ? static_cast<int>(messages.size()) - 1 : -1, answered);
  }
  return out;
}

}  // namespace graft
