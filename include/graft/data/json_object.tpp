// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/core/error.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

// One line of a data file as a JSON object, with an error that says what is wrong with it.

namespace graft::detail {

/// Keeps the order of keys, which a template prints.
using Json = nlohmann::ordered_json;

/// At most 60 bytes of valid UTF-8, cut between characters; control characters become '?'.
GRAFT_INLINE std::string excerpt(std::string_view text) {
  std::size_t length = std::min<std::size_t>(text.size(), 60);
  while (length < text.size() && length > 0 && (static_cast<unsigned char>(text[length]) & 0xc0) == 0x80) --length;
  std::string out(text.substr(0, length));
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return length < text.size() ? out + "…" : out;
}

/// What nlohmann says of broken JSON, in about 200 bytes of ASCII: it quotes the last token, which may be megabytes of
/// anything.
GRAFT_INLINE std::string json_reason(std::string_view what) {
  if (auto const end = what.find("] "); what.starts_with("[json.exception") && end != what.npos)
    what.remove_prefix(end + 2);
  if (std::string_view const place = "parse error at line 1, "; what.starts_with(place))
    what.remove_prefix(place.size());
  std::string out(what);
  if (out.size() > 200) out = out.substr(0, 120) + " ... " + out.substr(out.size() - 77);
  for (char& c : out)
    if (c < 0x20 || c > 0x7e) c = '?';
  return out;
}

/// The line as a JSON object. The depth is bounded, so that no later walk can exhaust the stack.
GRAFT_INLINE Json parse_object(std::string_view line) {
  static constexpr int max_depth = 64;
  auto const nul = line.find('\0');
  require(nul == line.npos, "data", "holds a NUL byte at column ", nul + 1, ": not a text file?");
  std::vector<std::set<std::string>> keys;
  auto const check = [&keys](int depth, Json::parse_event_t event, Json& value) {
    require(depth <= max_depth, "data", "is nested deeper than ", max_depth, " levels");
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key) {
      auto const& key = value.get_ref<std::string const&>();
      require(keys.back().insert(key).second, "data", "the key \"", excerpt(key), "\" stands twice in one object");
    }
    return true;
  };
  Json value;
  try {
    value = Json::parse(line, check);
  } catch (Json::exception const& error) {
    fail("data", "is not valid JSON: ", json_reason(error.what()));
  }
  require(!value.is_array(), "data", "must be a JSON object: got an array (put one record on each line: jq -c '.[]')");
  require(value.is_object(), "data", "must be a JSON object: got ", value.type_name());
  return value;
}

}  // namespace graft::detail
