// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/io/json_file.hpp>
#include <graft/train/constitution.hpp>

#include <algorithm>

namespace graft {

GRAFT_INLINE Constitution read_constitution(std::filesystem::path const& path) {
  auto const json = detail::parse_json_file(path, "constitution");
  detail::JsonObject const file(json, "constitution", path.string());
  auto const only = [&](detail::JsonObject const& object, std::initializer_list<std::string_view> keys) {
    for (auto const& item : object.json().items())
      require(std::find(keys.begin(), keys.end(), item.key()) != keys.end(), "constitution", object.place(), ": the key \"",
              printable(item.key()), "\" is unknown here");
  };
  only(file, {"name", "principles"});
  Constitution constitution{file.string("name"), {}};
  for (auto const& item : file.array("principles")) {
    std::string const place = path.string() + ": principle " + std::to_string(constitution.principles.size() + 1);
    detail::JsonObject const object(item, "constitution", place);
    only(object, {"name", "critique", "revision", "preference"});
    Principle principle{object.string("name"), object.string("critique"), object.string("revision"), object.string("preference")};
    for (auto const* text : {&principle.name, &principle.critique, &principle.revision, &principle.preference})
      require(!text->empty(), "constitution", place, ": name, critique, revision and preference must not be empty");
    for (auto const& other : constitution.principles)
      require(other.name != principle.name, "constitution", place, ": the name \"", principle.name, "\" stands twice");
    constitution.principles.push_back(std::move(principle));
  }
  require(!constitution.principles.empty(), "constitution", path.string(), ": there are no principles");
  return constitution;
}

}  // namespace graft
