// SPDX-License-Identifier: Apache-2.0
#include <graft/io/sharded_safetensors.hpp>

#include <doctest/doctest.h>
#include <support/files.hpp>
#include <support/message_of.hpp>
#include <support/safetensors_bytes.hpp>

#include <filesystem>
#include <string>
#include <vector>

using namespace graft;
using test::message_of;
using test::safetensors_bytes;
using test::write_file;

namespace {

std::string shard(std::vector<std::string> const& names) {
  std::string header = "{";
  std::size_t offset = 0;
  for (auto const& name : names) {
    header += (offset > 0 ? "," : "") + ("\"" + name + "\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[") + std::to_string(offset) +
              "," + std::to_string(offset + 1) + "]}";
    ++offset;
  }
  return safetensors_bytes(header + "}", offset);
}

struct Model {
  test::TemporaryDirectory folder;
  Model() {
    write_file(folder / "one.safetensors", shard({"a", "b"}));
    write_file(folder / "two.safetensors", shard({"c", "unlisted"}));
    index(R"({"metadata":{"total_size":3},"weight_map":{"a":"one.safetensors","b":"one.safetensors","c":"two.safetensors"}})");
  }
  void index(std::string const& text) const { write_file(folder / "model.safetensors.index.json", text); }
  [[nodiscard]] std::string refusal() const {
    return message_of([&] { ShardedSafetensors const opened(folder.path()); });
  }
};

}  // namespace

TEST_CASE("sharded safetensors: all tensors of all shards are found") {
  Model const model;
  for (auto const& path : {model.folder.path(), model.folder / "model.safetensors.index.json"}) {
    ShardedSafetensors const weights(path);
    CHECK(weights.names() == std::vector<std::string>{"a", "b", "c", "unlisted"});
    CHECK(weights.files().size() == 2);
    REQUIRE(weights.find("c") != nullptr);
    CHECK(weights.find("c")->name == "c");
    CHECK(weights.find("d") == nullptr);
  }
}

TEST_CASE("sharded safetensors: a single file is read as such, and wins over an index") {
  Model const model;
  write_file(model.folder / "model.safetensors", shard({"z"}));
  CHECK(ShardedSafetensors(model.folder.path()).names() == std::vector<std::string>{"z"});
  CHECK(ShardedSafetensors(model.folder / "one.safetensors").names() == std::vector<std::string>{"a", "b"});
}

TEST_CASE("sharded safetensors: copies and the owner outlive the original") {
  std::shared_ptr<void const> owner;
  std::span<std::byte const> bytes;
  std::vector<std::string> names;
  {
    Model const model;
    ShardedSafetensors const weights(model.folder.path());
    ShardedSafetensors const copy = weights;
    owner = copy.owner();
    bytes = copy.find("a")->bytes;
  }
  REQUIRE(bytes.size() == 1);
  CHECK(static_cast<int>(bytes[0]) == 0);
}

TEST_CASE("sharded safetensors: every contradiction between index and shards has its own sentence") {
  struct Case {
    std::string says;
    std::string index;
  };
  std::vector<Case> const cases = {
      {"this is not valid JSON", ""},
      {"this is not valid JSON", "{"},
      {"a JSON object is expected here: got []", "[]"},
      {"the key \"weight_map\" is missing", "{}"},
      {"the key \"weight_map\" is missing", R"({"weight_map":null})"},
      {"weight_map must be an object of tensor and file names: got 5", R"({"weight_map":5})"},
      {"weight_map must be an object of tensor and file names: got {}", R"({"weight_map":{}})"},
      {"the key \"a\" occurs twice", R"({"weight_map":{"a":"one.safetensors","a":"two.safetensors"}})"},
      {"the file of tensor a must be a string: got 7", R"({"weight_map":{"a":7}})"},
      {"the file of tensor a must be a plain file name: got \"../one.safetensors\"", R"({"weight_map":{"a":"../one.safetensors"}})"},
      {"the file of tensor a must be a plain file name: got \"/etc/passwd\"", R"({"weight_map":{"a":"/etc/passwd"}})"},
      {"the file of tensor a must be a plain file name: got \"..\"", R"({"weight_map":{"a":".."}})"},
      {"the file of tensor a must be a plain file name: got \"\"", R"({"weight_map":{"a":""}})"},
      {"the shard three.safetensors is missing", R"({"weight_map":{"a":"three.safetensors"}})"},
      {"tensor c is not in the shard one.safetensors", R"({"weight_map":{"a":"one.safetensors","c":"one.safetensors"}})"},
      {"tensor d is not in the shard two.safetensors", R"({"weight_map":{"a":"one.safetensors","d":"two.safetensors"}})"},
      {"tensor c is not in the shard one.safetensors", R"({"weight_map":{"c":"one.safetensors","unlisted":"two.safetensors"}})"},
  };
  Model const model;
  for (Case const& one : cases) {
    CAPTURE(one.index);
    model.index(one.index);
    std::string const message = model.refusal();
    CAPTURE(message);
    CHECK(message.find(one.says) != std::string::npos);
    CHECK(message.find("model.safetensors.index.json") != std::string::npos);
  }
}

TEST_CASE("sharded safetensors: a tensor in two shards is refused with both files") {
  Model const model;
  write_file(model.folder / "two.safetensors", shard({"c", "a"}));
  CHECK(model.refusal() == "[safetensors] tensor a is in two files: " + (model.folder / "one.safetensors").string() + " and " +
                               (model.folder / "two.safetensors").string());
}

TEST_CASE("sharded safetensors: a malformed shard is named") {
  Model const model;
  write_file(model.folder / "two.safetensors", shard({"c"}) + "x");
  CHECK(model.refusal().find("two.safetensors: 1 bytes after the last tensor") != std::string::npos);
}

TEST_CASE("sharded safetensors: a directory without weights and a missing path are refused") {
  test::TemporaryDirectory const folder;
  CHECK(message_of([&] { ShardedSafetensors const weights(folder.path()); }) ==
        "[safetensors] " + folder.path().string() + " holds neither model.safetensors nor model.safetensors.index.json");
  CHECK(message_of([&] { ShardedSafetensors const weights(folder / "no"); }).find("No such file") != std::string::npos);
  CHECK(message_of([&] { ShardedSafetensors const weights(folder / "x.index.json"); }).find("No such file") != std::string::npos);
}
