// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/text/tokenizer_spec.hpp>
#include <graft/text/tool_format.hpp>

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace graft {

struct Message {
  std::string role;  ///< "system", "user", "assistant", and "tool" for what a tool returned
  std::string content;
  std::vector<ToolCall> tool_calls = {};  ///< of the assistant
  friend bool operator==(Message const&, Message const&) = default;
};

/// A stretch of a rendered conversation.
struct Segment {
  std::string text;
  bool special = true;      ///< special tokens in it are parsed
  bool supervised = false;  ///< what the assistant is to learn
  int message = -1;         ///< index of the message that it renders, -1 for BOS, default system message, generation prompt
};

/// What becomes of a system message.
enum class SystemPlacement {
  own_turn,    ///< a turn like any other
  first_user,  ///< goes before the content of the first user message
  refused      ///< an Error
};

/// A chat format as data. A format of your own:
///   ChatFormat format({.name = "mine",
///                      .roles = {{"user", {"<u>", "</u>"}}, {"assistant", {"<a>", "</a>"}}},
///                      .generation_prompt = "<a>", .end_of_turn = "</a>"});
struct ChatFormatSpec {
  std::string name = "custom";
  std::string begin = {};                 ///< once, before everything (BOS)
  std::map<std::string, ChatTurn> roles = {};  ///< the assistant's prefix must begin with `generation_prompt`
  std::string generation_prompt = {};
  std::string end_of_turn = {};  ///< the token that ends the assistant's turn, where generation stops; "" for none
  SystemPlacement system = SystemPlacement::own_turn;
  std::string system_separator = "\n\n";      ///< between system and user text under `SystemPlacement::first_user`
  std::optional<std::string> default_system = {};  ///< rendered where the first message is not a system message
  bool trim = false;                          ///< content loses white space at both ends
  bool alternate = false;                     ///< user and assistant must take turns, the user first
  bool always_generation_prompt = false;      ///< as the first Llama 3 templates do, asked or not
  std::optional<ToolFormatSpec> tools = {};   ///< nothing: tools and calls are an Error; a role "tool" may yet be among the roles
};

/// The spelling of the tokenizer's own tokens for formats that use them; nothing: as is customary with the format.
struct ChatSpecials {
  std::optional<std::string> bos = {};
  std::optional<std::string> eos = {};
};

struct RenderOptions {
  bool add_generation_prompt = false;
  /// As Hugging Face does, content that spells a special token becomes that token. Set to false, it stays text.
  bool parse_special_in_content = true;
  /// What the assistant may call: the JSON of each tool on one line, written as Python's json.dumps does.
  std::span<std::string const> tools = {};
};

/// Renders conversations as the Jinja template of a model does, without Jinja.
class ChatFormat {
 public:
  /// Throws Error if the parts of `spec` contradict each other.
  explicit ChatFormat(ChatFormatSpec spec);

  /// "chatml", "llama3", "llama3.1", "gemma", "gemma2", "mistral", "zephyr" or "plain".
  [[nodiscard]] static ChatFormat named(std::string_view name, ChatSpecials const& specials = {});
  [[nodiscard]] static std::vector<std::string> names();

  /// The format that a template renders, with its default system message. Throws Error for a template that no known
  /// format renders exactly; the message lists the formats.
  [[nodiscard]] static ChatFormat recognise(std::string const& jinja_template, ChatSpecials const& specials = {});
  /// The same for the template and special tokens of a tokenizer.
  [[nodiscard]] static ChatFormat recognise(TokenizerSpec const& tokenizer);

  /// The conversation in pieces whose texts, put together, are what transformers' `apply_chat_template` renders.
  /// Supervised is what the template renders after the generation prompt of each assistant turn: content, end of turn
  /// and what follows up to the next turn. Throws Error for an empty conversation, an unknown role or a wrong order.
  [[nodiscard]] std::vector<Segment> render(std::span<Message const> messages, RenderOptions const& options = {}) const;

  [[nodiscard]] std::string const& name() const { return spec_.name; }
  [[nodiscard]] std::string const& end_of_turn() const { return spec_.end_of_turn; }
  [[nodiscard]] ChatFormatSpec const& spec() const { return spec_; }

 private:
  ChatFormatSpec spec_;
};

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/text/chat_format.tpp>
#include <graft/text/chat_template.tpp>
#endif
