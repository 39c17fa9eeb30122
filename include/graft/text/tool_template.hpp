// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/text/tool_format.hpp>

#include <cstddef>
#include <optional>
#include <string>

namespace graft::detail {

/// Marks that stand for variables in the outputs of a template (see `template_outputs`).
namespace template_mark {
inline constexpr char output = '\x01', content = '\x02', role = '\x03', bos = '\x04', eos = '\x05', other = '\x06';
inline constexpr char const* any = "\x01\x02\x03\x04\x05\x06";
}  // namespace template_mark

/// Outputs as one text, wherever the template breaks them.
[[nodiscard]] inline std::string without_breaks(std::string outputs) {
  std::erase(outputs, template_mark::output);
  return outputs;
}

/// How a ChatML template writes tools, if it does so in the way of Qwen 2.5, Qwen 3 and Hermes; the sentences around the list
/// are taken from it.
[[nodiscard]] inline std::optional<ToolFormatSpec> chatml_tools(std::string const& source, std::string const& outputs) {
  using namespace template_mark;
  std::string const text = without_breaks(outputs);
  auto const prints = [&text](std::string const& part) { return text.find(part) != std::string::npos; };
  std::string const result = std::string("\n<tool_response>\n") + content + "\n</tool_response>";
  if (!prints(std::string("<tool_call>\n{\"name\": \"") + other + "\", \"arguments\": " + other) || !prints("}\n</tool_call>") ||
      !prints("<|im_start|>user" + result))
    return std::nullopt;

  ToolFormatSpec format;
  std::string const opening = "<tools>", item = std::string("\n") + other;
  std::size_t open = outputs.find(opening);  // sentences may speak of <tools>, too
  while (open != std::string::npos && !without_breaks(outputs.substr(open)).starts_with(opening + item + "\n</tools>"))
    open = outputs.find(opening, open + 1);
  std::size_t const before = open == std::string::npos ? open : outputs.find_last_of(any, open);
  if (before == std::string::npos || outputs[before] != output) return std::nullopt;
  format.list.prefix = outputs.substr(before + 1, open + opening.size() - before - 1);
  // Qwen 2.5 prints the line ends before the list always, the newer ones only behind a system message.
  bool const behind_system = outputs.substr(0, before).ends_with(std::string{content, '\n', '\n'});
  if (!format.list.prefix.starts_with("\n") && !behind_system) return std::nullopt;
  if (behind_system) format.system_separator = "\n\n";

  std::size_t const list = text.find(format.list.prefix + item + "\n</tools>");
  std::size_t const after = list + format.list.prefix.size() + item.size();
  std::size_t const end = list == std::string::npos ? list : text.find("<|im_end|>\n", after);
  if (end == std::string::npos || text.find_first_of(any, after) < end) return std::nullopt;
  format.list.suffix = text.substr(after, end - after);
  format.tool.prefix = "\n";
  format.call_name = "<tool_call>\n" + format.call_name;
  format.call_end = "}\n</tool_call>";
  format.raw_text_arguments = source.find("arguments is string") != std::string::npos;
  format.results = {"<|im_start|>user", "<|im_end|>\n"};
  format.result = {"\n<tool_response>\n", "\n</tool_response>"};
  format.results_share_turn = true;
  return format;
}

/// The same for Llama 3.1's template.
[[nodiscard]] inline std::optional<ToolFormatSpec> llama31_tools(std::string const& source, std::string const& outputs) {
  using namespace template_mark;
  std::string const text = without_breaks(outputs);
  auto const has = [&source](char const* part) { return source.find(part) != std::string::npos; };
  auto const prints = [&text](std::string const& part) { return text.find(part) != std::string::npos; };
  std::string const user = "<|start_header_id|>user<|end_header_id|>\n\n", results = "<|start_header_id|>ipython<|end_header_id|>\n\n";
  bool const known = has("tojson(indent=4)") && has("tools_in_user_message = true") && has("content | tojson") && prints(results + content) &&
                     prints(std::string("{\"name\": \"") + other + "\", \"parameters\": " + other + "}");
  std::size_t const open = text.find(user);
  std::size_t const item = open == std::string::npos ? open : text.find(std::string{other, '\n', '\n', other} + "<|eot_id|>", open);
  std::size_t const list = open + user.size();
  if (!known || item == std::string::npos || text.find_first_of(any, list) < item) return std::nullopt;

  ToolFormatSpec format;
  format.placement = ToolPlacement::first_user_begin;
  if (prints("Environment: ipython\n"))
    format.system_prefix = "<|start_header_id|>system<|end_header_id|>\n\nEnvironment: ipython\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n";
  format.list.prefix = text.substr(list, item - list);
  format.tool.suffix = "\n\n";
  format.indent = 4;
  format.call_arguments = "\", \"parameters\": ";
  format.single_call = true;
  format.call_replaces_content = true;
  format.results = {results, "<|eot_id|>"};
  format.result_as_json = true;
  return format;
}

}  // namespace graft::detail
