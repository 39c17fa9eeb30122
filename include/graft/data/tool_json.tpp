// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/data/tool_json.hpp>

#include <nlohmann/json.hpp>

#include <cmath>
#include <utility>

namespace graft::detail {

GRAFT_INLINE std::string python_json(nlohmann::ordered_json const& value) {
  std::string out;
  if (value.is_object()) {
    for (auto const& [key, item] : value.items()) out += (out.empty() ? "" : ", ") + json_quoted(key) + ": " + python_json(item);
    return "{" + out + "}";
  }
  if (value.is_array()) {
    for (auto const& item : value) out += (out.empty() ? "" : ", ") + python_json(item);
    return "[" + out + "]";
  }
  if (value.is_string()) return json_quoted(value.get_ref<std::string const&>());
  // Both print the shortest digits; Python goes over to an exponent one power of ten later.
  if (value.is_number_float() && std::abs(value.get<double>()) >= 1e15 && std::abs(value.get<double>()) < 1e16)
    return std::to_string(static_cast<long long>(value.get<double>())) + ".0";
  return value.dump();
}

GRAFT_INLINE std::vector<std::string> take_tools(nlohmann::ordered_json const& value) {
  nlohmann::ordered_json parsed;
  if (value.is_string()) {
    parsed = nlohmann::ordered_json::parse(value.get_ref<std::string const&>(), nullptr, false);
    require(!parsed.is_discarded(), "data", "tools is a string that is not JSON");
  }
  auto const& list = value.is_string() ? parsed : value;
  require(list.is_array(), "data", "tools must be a list: got ", list.type_name());
  std::vector<std::string> tools;
  for (auto const& tool : list) {
    require(tool.is_object(), "data", "tools[", tools.size(), "] must be a JSON object: got ", tool.type_name());
    tools.push_back(python_json(tool));
  }
  return tools;
}

GRAFT_INLINE std::vector<ToolCall> take_tool_calls(nlohmann::ordered_json const& value, std::string const& where) {
  require(value.is_array(), "data", where, ".tool_calls must be a list: got ", value.type_name());
  std::vector<ToolCall> calls;
  for (auto const& item : value) {
    std::string const place = where + ".tool_calls[" + std::to_string(calls.size()) + "]";
    auto const& function = item.is_object() && item.contains("function") ? item["function"] : item;
    bool const named = function.is_object() && function.contains("name") && function["name"].is_string();
    require(named && function.contains("arguments"), "data", place, " must be {\"function\": {\"name\": …, \"arguments\": …}}");
    auto const& arguments = function["arguments"];
    bool const text = arguments.is_string();
    calls.push_back({function["name"].get<std::string>(), text ? arguments.get<std::string>() : python_json(arguments), text});
  }
  return calls;
}

}  // namespace graft::detail
