// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/text/tool_format.hpp>

#include <cstddef>

namespace graft::detail {

GRAFT_INLINE std::string json_quoted(std::string_view text) {
  static constexpr char const* hex = "0123456789abcdef";
  std::string out = "\"";
  for (char const c : text) {
    auto const byte = static_cast<unsigned char>(c);
    char const short_form = c == '"' || c == '\\' ? c : c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\t' ? 't' : c == '\b' ? 'b' : c == '\f' ? 'f' : '\0';
    if (short_form != '\0')
      out += {'\\', short_form};
    else if (byte < 0x20)
      out += {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]};
    else
      out += c;
  }
  return out + '"';
}

GRAFT_INLINE std::string json_indented(std::string_view json, int indent) {
  std::string out;
  std::size_t depth = 0;
  bool in_string = false;
  auto const new_line = [&] { out.append("\n").append(depth * static_cast<std::size_t>(indent), ' '); };
  for (std::size_t at = 0; at < json.size(); ++at) {
    char const c = json[at];
    if (in_string) {
      out += c;
      if (c == '\\') out += json[++at];
      in_string = c != '"';
      continue;
    }
    bool const opens = c == '{' || c == '[';
    bool const empty = opens && at + 1 < json.size() && (json[at + 1] == '}' || json[at + 1] == ']');
    if (empty) {
      out.append(json.substr(at++, 2));
    } else if (opens) {
      out += c;
      ++depth;
      new_line();
    } else if (c == '}' || c == ']') {
      --depth;
      new_line();
      out += c;
    } else if (c == ',') {
      out += c;
      new_line();
      ++at;  // the blank behind it
    } else {
      out += c;
      in_string = c == '"';
    }
  }
  return out;
}

GRAFT_INLINE std::string tool_list_text(ToolFormatSpec const& format, std::span<std::string const> tools) {
  std::string out = format.list.prefix;
  for (std::string const& tool : tools)
    out += format.tool.prefix + (format.indent > 0 ? json_indented(tool, format.indent) : tool) + format.tool.suffix;
  return out + format.list.suffix;
}

GRAFT_INLINE std::string tool_call_text(ToolFormatSpec const& format, ToolCall const& call) {
  bool const quoted = call.arguments_are_text && !format.raw_text_arguments;
  return format.call_name + call.name + format.call_arguments + (quoted ? json_quoted(call.arguments) : call.arguments) + format.call_end;
}

}  // namespace graft::detail
