// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/text/chat_format.hpp>
#include <graft/text/chat_format.tpp>
#include <graft/text/tool_template.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace graft {
namespace detail {

/// What a Jinja template prints, in the order of its text and without its logic: `{{ '<s>' + message['content'] }}`
/// becomes the mark of an output, "<s>" and the mark of content. Enough to tell how turns are written.
[[nodiscard]] inline std::string template_outputs(std::string_view source) {
  std::string out;
  std::size_t at = 0;
  while ((at = source.find("{{", at)) != std::string_view::npos) {
    out.push_back(template_mark::output);
    at += 2;
    std::string variable;
    auto const end_variable = [&] {
      auto const has = [&variable](char const* word) { return variable.find(word) != std::string::npos; };
      bool const blank = variable.find_first_not_of(" \t\r\n-+()~") == std::string::npos;
      if (!blank)
        out.push_back(has("content")     ? template_mark::content
                      : has("role")      ? template_mark::role
                      : has("bos_token") ? template_mark::bos
                      : has("eos_token") ? template_mark::eos
                                         : template_mark::other);
      variable.clear();
    };
    int brackets = 0;
    for (; at < source.size() && !(brackets == 0 && source.substr(at).starts_with("}}")); ++at) {
      char const c = source[at];
      bool const quote = c == '\'' || c == '"';
      if (!quote || brackets > 0) {
        brackets += c == '[' || c == '{' ? 1 : c == ']' || c == '}' ? -1 : 0;
        if (c == '+' && brackets == 0)
          end_variable();
        else
          variable.push_back(c);
        continue;
      }
      end_variable();
      for (++at; at < source.size() && source[at] != c; ++at) {
        if (source[at] != '\\' || at + 1 == source.size()) {
          out.push_back(source[at]);
          continue;
        }
        char const escaped = source[++at];
        out.push_back(escaped == 'n' ? '\n' : escaped == 't' ? '\t' : escaped);
      }
    }
    end_variable();
  }
  return out;
}

/// The literal text between `open` and `close` in `outputs`, if it holds no variable.
[[nodiscard]] inline std::optional<std::string> literal_between(std::string const& outputs, std::string const& open,
                                                                std::string const& close) {
  for (std::size_t at = outputs.find(open); at != std::string::npos; at = outputs.find(open, at + 1)) {
    std::size_t const begin = at + open.size();
    std::size_t const end = outputs.find(close, begin);
    if (end == std::string::npos) return std::nullopt;
    std::string text = outputs.substr(begin, end - begin);
    if (text.find_first_of(template_mark::any) == std::string::npos) return text;
  }
  return std::nullopt;
}

[[noreturn]] inline void unknown_template(std::string const& why) {
  fail("chat", "this chat template is not one that graft renders exactly (", why, "). Known formats: ",
       joined_names(ChatFormat::names()),
       ". Name one with ChatFormat::named, or define your own with a ChatFormatSpec (docs/text.md)");
}

/// Gives a format the tools of its template. Where a template speaks of tools in a way that is not known, the role "tool" goes, so that
/// such a conversation is an Error and not rendered otherwise.
inline void recognise_tools(ChatFormatSpec& spec, std::string const& source, std::string const& outputs) {
  spec.tools = spec.name == "chatml" ? chatml_tools(source, outputs) : spec.name == "llama3.1" ? llama31_tools(source, outputs) : std::nullopt;
  if (source.find("tool") != std::string::npos) spec.roles.erase("tool");
}

/// A mistral format whose blanks stand where the template has them; they differ from release to release.
[[nodiscard]] inline ChatFormatSpec mistral_format(std::string const& outputs, bool has_system, bool system_in_first,
                                                   ChatFormatSpec spec) {
  using namespace template_mark;
  auto const exactly = [&outputs](std::string const& text) { return outputs.find(text) != std::string::npos; };
  ChatTurn& user = spec.roles["user"];
  ChatTurn& assistant = spec.roles["assistant"];
  bool known = false;
  for (std::string const open : {"[INST] ", " [INST] ", "[INST]"})
    for (std::string const close : {" [/INST]", "[/INST]", " [/INST] "})
      if (!known && exactly(output + open + content + close + output)) {
        user = {open, close};
        known = true;
      }
  if (!known) unknown_template("the [INST] turn is not that of a known release of Mistral");
  known = false;
  for (std::string const before : {"", " "})
    for (std::string const after : {"", " "}) {
      std::string const turn = output + before + content + eos + after;
      std::size_t const at = outputs.find(turn);
      bool const whole = at != std::string::npos &&
                         (at + turn.size() == outputs.size() || outputs[at + turn.size()] == output);
      if (!known && whole) {
        assistant = {before, spec.end_of_turn + after};
        known = true;
      }
    }
  if (!known) unknown_template("the assistant's turn is not that of a known release of Mistral");
  // Releases that put the system message into the last user message drop it from answered conversations.
  if (has_system && system_in_first && exactly(user.prefix + other + "\n\n" + content + user.suffix))
    spec.system = SystemPlacement::first_user;
  else
    spec.system = SystemPlacement::refused;
  return spec;
}

}  // namespace detail

GRAFT_INLINE ChatFormat ChatFormat::recognise(std::string const& jinja_template, ChatSpecials const& specials) {
  using detail::unknown_template;
  using namespace detail::template_mark;
  std::string const outputs = detail::template_outputs(jinja_template);
  auto const has = [&jinja_template](char const* text) { return jinja_template.find(text) != std::string::npos; };
  auto const prints = [&outputs](std::string const& text) { return outputs.find(text) != std::string::npos; };
  bool const trims = has("| trim") || has("|trim");
  auto const base = [&specials, &has](char const* name) {
    ChatFormatSpec spec = named(name, specials).spec();
    if (!has("bos_token") && !has(spec.begin.c_str())) spec.begin.clear();
    return spec;
  };
  if (jinja_template.empty()) unknown_template("it is empty");
  if (has("think")) unknown_template("it adds or removes thinking blocks");
  if (has("{% generation") || has("{%- generation")) unknown_template("it has generation blocks");

  if (has("<|im_start|>")) {
    std::string const turn = std::string("<|im_start|>") + role + "\n" + content + "<|im_end|>";
    if (!prints(turn + "\n") || has("or not loop.last")) unknown_template("its <|im_start|> turns are written otherwise");
    ChatFormatSpec spec = base("chatml");
    spec.trim = trims;
    spec.default_system = detail::literal_between(outputs, "<|im_start|>system\n", "<|im_end|>\n");
    spec.begin = prints(std::string{output, bos}) ? specials.bos.value_or("") : "";
    detail::recognise_tools(spec, jinja_template, outputs);
    return ChatFormat(std::move(spec));
  }
  if (has("<|start_header_id|>")) {
    if (!has("<|eot_id|>")) unknown_template("its <|start_header_id|> turns do not end in <|eot_id|>");
    if (has("strftime_now")) unknown_template("it prints the date of today; llama3.1 is the same with a fixed date");
    ChatFormatSpec spec = base(has("Cutting Knowledge Date") ? "llama3.1" : "llama3");
    spec.trim = trims;
    spec.always_generation_prompt = !has("add_generation_prompt");
    detail::recognise_tools(spec, jinja_template, outputs);
    return ChatFormat(std::move(spec));
  }
  if (has("<start_of_turn>")) {
    ChatFormatSpec spec = base(has("first_user_prefix") ? "gemma" : "gemma2");
    spec.trim = trims;
    return ChatFormat(std::move(spec));
  }
  if (has("<<SYS>>")) unknown_template("it is Llama 2's");
  if (has("[INST]"))
    return ChatFormat(detail::mistral_format(outputs, has("system"), has("loop.first"), base("mistral")));
  if (has("<|user|>") && has("<|assistant|>")) {
    std::string const open = std::string{output} + "<|user|>\n" + content;
    bool const line_end_inside = prints(open + eos + "\n");
    bool const line_end_after = prints(open + eos) && (has("eos_token }}\n") || has("eos_token}}\n"));
    if (!line_end_inside && !line_end_after) unknown_template("its <|user|> turns do not end in the EOS token and a line end");
    return ChatFormat(base("zephyr"));
  }
  unknown_template("none of the marks <|im_start|>, <|start_header_id|>, <start_of_turn>, [INST], <|user|> is in it");
}

GRAFT_INLINE ChatFormat ChatFormat::recognise(TokenizerSpec const& tokenizer) {
  require(!tokenizer.chat_template.empty(), "chat", "the tokenizer has no chat template: name a format, one of ",
          detail::joined_names(names()), ", or define one with a ChatFormatSpec");
  auto const spelling = [&tokenizer](std::optional<std::int32_t> id) -> std::optional<std::string> {
    if (!id) return std::nullopt;
    for (AddedToken const& added : tokenizer.added_tokens)
      if (added.id == *id) return added.content;
    auto const index = static_cast<std::size_t>(*id);
    return index < tokenizer.tokens.size() ? std::optional(tokenizer.tokens[index]) : std::nullopt;
  };
  return recognise(tokenizer.chat_template, {.bos = spelling(tokenizer.bos), .eos = spelling(tokenizer.eos)});
}

}  // namespace graft
