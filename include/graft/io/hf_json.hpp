// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/io/json_file.hpp>
#include <graft/io/printable.hpp>
#include <graft/text/tokenizer_spec.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace graft::detail {

/// A JSON file and typed access to it; messages name the file and the path of keys.
class HfJson {
 public:
  explicit HfJson(std::filesystem::path const& path)
      : path_(path.string()), root_(parse_json_file(path, "tokenizer")) {
    check(root_.is_object(), "the file", "must be a JSON object");
  }

  [[nodiscard]] Json const& root() const { return root_; }

  template <class... Parts>
  [[noreturn]] void reject(std::string_view key, Parts const&... parts) const {
    fail("tokenizer", path_, ": ", key, " ", parts...);
  }
  template <class... Parts>
  void check(bool condition, std::string_view key, Parts const&... parts) const {
    if (!condition) [[unlikely]] reject(key, parts...);
  }

  /// The member `key` of `object`, null if it is absent.
  [[nodiscard]] static Json const& member(Json const& object, char const* key) {
    static Json const none;
    auto const found = object.is_object() ? object.find(key) : object.end();
    return object.is_object() && found != object.end() ? *found : none;
  }

  [[nodiscard]] bool boolean(Json const& object, char const* key, bool otherwise) const {
    Json const& value = member(object, key);
    if (value.is_null()) return otherwise;
    if (!value.is_boolean()) reject(key, "must be true or false: got ", short_dump(value));
    return value.get<bool>();
  }

  [[nodiscard]] std::string string(Json const& object, char const* key) const {
    Json const& value = member(object, key);
    if (value.is_null()) return {};
    if (!value.is_string()) reject(key, "must be a string: got ", short_dump(value));
    return value.get<std::string>();
  }

  [[nodiscard]] std::int32_t id(Json const& value, std::string_view key) const {
    if (!value.is_number_integer() || value < 0 || value >= max_token_id)
      reject(key, "must be an id in 0..", max_token_id - 1, ": got ", short_dump(value));
    return value.get<std::int32_t>();
  }

  [[nodiscard]] static std::string short_dump(Json const& value) {
    return printable(value.dump(-1, ' ', false, Json::error_handler_t::replace), 160);
  }

 private:
  std::string path_;
  Json root_;
};

}  // namespace graft::detail
