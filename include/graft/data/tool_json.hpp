// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/text/tool_format.hpp>

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace graft::detail {

/// JSON on one line as Python's json.dumps(ensure_ascii=False) writes it, which is what templates put into a prompt.
[[nodiscard]] std::string python_json(nlohmann::ordered_json const& value);

/// The tools of a record: a list of objects, or such a list as a string (as TRL takes it), each as `python_json`.
[[nodiscard]] std::vector<std::string> take_tools(nlohmann::ordered_json const& value);

/// The calls of a message: `{"function": {"name": …, "arguments": …}}` each, or without the "function" around it.
[[nodiscard]] std::vector<ToolCall> take_tool_calls(nlohmann::ordered_json const& value, std::string const& where);

}  // namespace graft::detail

#ifndef GRAFT_COMPILED
#include <graft/data/tool_json.tpp>
#endif
