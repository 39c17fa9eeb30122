// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/core/scalar.hpp>
#include <graft/io/mapped_file.hpp>
#include <graft/io/printable.hpp>

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// JSON as strict readers need it. Includes nlohmann's header: only `.tpp` files include this one.
namespace graft::detail {

using Json = nlohmann::json;

/// Parses `text`. Errors begin with [tag] place: and refuse what is not JSON, a key that occurs twice in an object, and
/// nesting deeper than 64.
[[nodiscard]] inline Json parse_json(std::string_view text, std::string_view tag, std::string_view place) {
  // nlohmann takes a zero byte for the end of the text and would ignore what follows.
  require(text.find('\0') == std::string_view::npos, tag, place, ": this is not valid JSON: it holds a zero byte");
  std::vector<std::set<std::string>> open;
  auto const check = [&](int depth, Json::parse_event_t event, Json& parsed) {
    require(depth < 64, tag, place, ": the JSON is nested deeper than 64 levels");
    if (event == Json::parse_event_t::object_start) open.emplace_back();
    if (event == Json::parse_event_t::object_end) open.pop_back();
    if (event == Json::parse_event_t::key) {
      auto const& key = parsed.get_ref<std::string const&>();
      require(open.back().insert(key).second, tag, place, ": the key \"", printable(key), "\" occurs twice");
    }
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), check);
  } catch (Json::parse_error const& error) {
    std::string_view reason = error.what();
    std::size_t const prefix = reason.find("] ");  // the name of nlohmann's exception
    if (prefix != std::string_view::npos) reason.remove_prefix(prefix + 2);
    fail(tag, place, ": this is not valid JSON: ", printable(reason, 300));
  } catch (Json::exception const& error) {  // for example a number beyond the range of double
    fail(tag, place, ": this is not valid JSON: ", printable(error.what(), 300));
  }
}

/// Reads and parses the file; the place in messages is its path.
[[nodiscard]] inline Json parse_json_file(std::filesystem::path const& path, std::string_view tag) {
  MappedFile const file(path, tag);
  return parse_json({reinterpret_cast<char const*>(file.bytes().data()), file.bytes().size()}, tag, path.string());
}

/// Typed access to the members of a JSON object. A member that is null counts as absent. Errors name the place and the key:
/// a member of another type, a missing one where no default is given.
class JsonObject {
 public:
  JsonObject(Json const& object, std::string tag, std::string place) : object_(&object), tag_(std::move(tag)), place_(std::move(place)) {
    require(object.is_object(), tag_, place_, ": a JSON object is expected here: got ", shown(object));
  }

  [[nodiscard]] Json const& json() const { return *object_; }
  [[nodiscard]] std::string const& place() const { return place_; }

  /// The member, or null.
  [[nodiscard]] Json const* find(std::string_view key) const {
    auto const found = object_->find(key);
    return found == object_->end() || found->is_null() ? nullptr : &*found;
  }
  [[nodiscard]] bool has(std::string_view key) const { return find(key) != nullptr; }

  [[nodiscard]] Json const& at(std::string_view key) const {
    Json const* const found = find(key);
    require(found != nullptr, tag_, place_, ": the key \"", key, "\" is missing");
    return *found;
  }

  [[nodiscard]] std::optional<Index> find_integer(std::string_view key) const {
    Json const* const value = find(key);
    if (value == nullptr) return std::nullopt;
    return to_integer(*value, key);
  }
  [[nodiscard]] Index integer(std::string_view key) const { return to_integer(at(key), key); }
  [[nodiscard]] Index integer(std::string_view key, Index otherwise) const { return find_integer(key).value_or(otherwise); }

  [[nodiscard]] std::optional<double> find_number(std::string_view key) const {
    Json const* const value = find(key);
    if (value == nullptr) return std::nullopt;
    check(value->is_number(), key, "a number", *value);
    return value->get<double>();
  }
  [[nodiscard]] double number(std::string_view key) const {
    (void)at(key);
    return *find_number(key);
  }
  [[nodiscard]] double number(std::string_view key, double otherwise) const { return find_number(key).value_or(otherwise); }

  [[nodiscard]] std::optional<bool> find_boolean(std::string_view key) const {
    Json const* const value = find(key);
    if (value == nullptr) return std::nullopt;
    check(value->is_boolean(), key, "true or false", *value);
    return value->get<bool>();
  }
  [[nodiscard]] bool boolean(std::string_view key, bool otherwise) const { return find_boolean(key).value_or(otherwise); }

  [[nodiscard]] std::optional<std::string> find_string(std::string_view key) const {
    Json const* const value = find(key);
    if (value == nullptr) return std::nullopt;
    check(value->is_string(), key, "a string", *value);
    return value->get<std::string>();
  }
  [[nodiscard]] std::string string(std::string_view key) const {
    (void)at(key);
    return *find_string(key);
  }

  /// The object `key`, if it is there.
  [[nodiscard]] std::optional<JsonObject> find_object(std::string_view key) const {
    Json const* const value = find(key);
    if (value == nullptr) return std::nullopt;
    check(value->is_object(), key, "an object", *value);
    return JsonObject(*value, tag_, place_ + ": " + std::string(key));
  }

  /// The elements of the array `key`; empty if it is absent.
  [[nodiscard]] std::vector<Json> array(std::string_view key) const {
    Json const* const value = find(key);
    if (value == nullptr) return {};
    check(value->is_array(), key, "an array", *value);
    return value->get<std::vector<Json>>();
  }

  [[nodiscard]] Index to_integer(Json const& value, std::string_view key) const {
    check(value.is_number_integer(), key, "an integer", value);
    if (value.is_number_unsigned())
      require(std::in_range<Index>(value.get<std::uint64_t>()), tag_, place_, ": ", key, " is too large: ", shown(value));
    return value.get<Index>();
  }

  template <class... Parts>
  void require_that(bool condition, Parts const&... parts) const {
    require(condition, tag_, place_, ": ", parts...);
  }

  /// The value as JSON on one line, long ones cut.
  [[nodiscard]] static std::string shown(Json const& value) {
    return printable(value.dump(-1, ' ', false, Json::error_handler_t::replace));
  }

 private:
  void check(bool condition, std::string_view key, std::string_view wanted, Json const& value) const {
    if (!condition) fail(tag_, place_, ": ", key, " must be ", wanted, ": got ", shown(value));
  }

  Json const* object_;
  std::string tag_;
  std::string place_;
};

}  // namespace graft::detail
