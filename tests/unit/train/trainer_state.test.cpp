// SPDX-License-Identifier: Apache-2.0
#include <graft/train/trainer_state.hpp>

#include <support/files.hpp>
#include <support/message_of.hpp>

#include <doctest/doctest.h>

#include <limits>

using namespace graft;
namespace fs = std::filesystem;
using test::message_of;
using test::write_file;

namespace {

TrainerState full_state() {
  TrainerState state;
  state.step = 123456789;
  state.cursor = {.seed = std::numeric_limits<std::uint64_t>::max(), .epoch = 3, .position = 17, .fingerprint = 0x8000000000000001u};
  state.dropout_pass = std::numeric_limits<std::uint64_t>::max() - 1;
  state.best_metric = 0.1 + 0.2;
  state.best_step = 40;
  state.evaluations_without_gain = 2;
  state.values = {{"kl_coef", 0.1}, {"optimizer_steps", 12}};
  state.options = {{"rank", "16"}, {"data", "/tmp/ü \"quoted\"\n.jsonl"}, {"empty", ""}};
  return state;
}

/// A complete and right file, with `from` replaced by `to`.
std::string changed(std::string const& from, std::string const& to) {
  test::TemporaryDirectory const folder;
  write_trainer_state(folder.path(), full_state());
  std::string text = test::read_file(folder / "trainer_state.json");
  auto const at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

std::string message(std::string const& text) {
  test::TemporaryDirectory const folder;
  write_file(folder / "trainer_state.json", text);
  auto result = message_of([&] { (void)read_trainer_state(folder.path()); });
  std::string const path = (folder / "trainer_state.json").string();
  if (auto const at = result.find(path); at != std::string::npos) result.replace(at, path.size(), "FILE");
  return result;
}

}  // namespace

TEST_CASE("trainer_state: what is written is read, to the last bit") {
  test::TemporaryDirectory const folder;
  for (auto const& state : {full_state(), TrainerState{}}) {
    write_trainer_state(folder.path(), state);
    CHECK(read_trainer_state(folder.path()) == state);
  }
}

TEST_CASE("trainer_state: a file that is not there or is no JSON is named") {
  test::TemporaryDirectory const folder;
  CHECK(message_of([&] { (void)read_trainer_state(folder.path()); }).find((folder / "trainer_state.json").string()) != std::string::npos);
  CHECK(message("").starts_with("[checkpoint] "));
  CHECK(message("{\"global_step\": 3").starts_with("[checkpoint] FILE: this is not valid JSON: "));
  CHECK(message("[]") == "[checkpoint] FILE: a JSON object is expected here: got []");
  CHECK(message("{\"global_step\": 3, \"global_step\": 4}") == "[checkpoint] FILE: the key \"global_step\" occurs twice");
}

TEST_CASE("trainer_state: each key that is missing or of another kind is named") {
  CHECK(message("{}") == "[checkpoint] FILE: the key \"global_step\" is missing");
  CHECK(message(changed("\"best_global_step\"", "\"x\"")) == "[checkpoint] FILE: the key \"best_global_step\" is missing");
  CHECK(message(changed("\"evaluations_without_gain\"", "\"x\"")) == "[checkpoint] FILE: the key \"evaluations_without_gain\" is missing");
  CHECK(message(changed("\"dropout_pass\"", "\"x\"")) == "[checkpoint] FILE: the key \"dropout_pass\" is missing");
  CHECK(message(changed("\"data\": {", "\"x\": {")) == "[checkpoint] FILE: the key \"data\" is missing");
  CHECK(message(changed("\"position\"", "\"x\"")) == "[checkpoint] FILE: data: the key \"position\" is missing");
  CHECK(message(changed("\"seed\": 18446744073709551615", "\"seed\": -1")) == "[checkpoint] FILE: data: seed must be an integer of 0 or more");
  CHECK(message(changed("\"seed\": 18446744073709551615", "\"seed\": 18446744073709551616")) ==
        "[checkpoint] FILE: data: seed must be an integer of 0 or more");
  CHECK(message(changed("123456789", "-1")) == "[checkpoint] FILE: global_step must be 0 or more: got -1");
  CHECK(message(changed("123456789", "1.5")) == "[checkpoint] FILE: global_step must be an integer: got 1.5");
  CHECK(message(changed("123456789", "\"5\"")) == "[checkpoint] FILE: global_step must be an integer: got \"5\"");
  CHECK(message(changed("\"rank\": \"16\"", "\"rank\": 16")) == "[checkpoint] FILE: options: rank must be a string: got 16");
  CHECK(message(changed("\"kl_coef\": 0.1", "\"kl_coef\": \"x\"")) == "[checkpoint] FILE: values must be numbers: got kl_coef");
  CHECK(message(changed("\"best_metric\"", "\"best_metric\": true, \"x\"")) == "[checkpoint] FILE: best_metric must be a number: got true");
}

TEST_CASE("trainer_state: a run with other options is refused, and all differences are named") {
  TrainerState state;
  state.options = {{"alpha", "32"}, {"rank", "16"}, {"seed", "7"}};
  auto const refused = [&](std::map<std::string, std::string> const& options) {
    return message_of([&] { check_same_options(state, options, "run/checkpoint-5"); });
  };
  CHECK(refused(state.options) == "no error");
  CHECK(refused({{"alpha", "32"}, {"rank", "8"}, {"seed", "7"}}) ==
        "[resume] run/checkpoint-5 belongs to a run with other options: rank was 16 and is now 8");
  CHECK(refused({{"alpha", "16"}, {"data", "x"}, {"rank", "16"}}) ==
        "[resume] run/checkpoint-5 belongs to a run with other options: alpha was 32 and is now 16; seed was 7 and is now not set; "
        "data was not set and is now x");
}

TEST_CASE("trainer_state: the latest checkpoint is the complete one with the highest step") {
  test::TemporaryDirectory const folder;
  CHECK_FALSE(latest_checkpoint(folder.path()).has_value());
  CHECK_FALSE(latest_checkpoint(folder / "nowhere").has_value());
  auto const make = [&](std::string const& name, bool complete = true) {
    fs::create_directory(folder / name);
    if (complete) write_file(folder / (name + "/trainer_state.json"), "{}");
  };
  for (char const* name : {"checkpoint-", "checkpoint--5", "checkpoint-x", "checkpoint-12x", "checkpoint-099", "checkpoint-+9", "checkpoint- 9",
                           "checkpoint-99999999999999999999999", "Checkpoint-50", "checkpoint-50.tmp-123-0", "best", "xcheckpoint-50"})
    make(name);
  make("checkpoint-60", false);  // died before its state was written
  write_file(folder / "checkpoint-70", "a file");
  CHECK_FALSE(latest_checkpoint(folder.path()).has_value());
  make("checkpoint-0");
  CHECK(latest_checkpoint(folder.path()) == folder / "checkpoint-0");
  make("checkpoint-9");
  make("checkpoint-10");  // not by name: 9 comes before 10
  CHECK(latest_checkpoint(folder.path()) == folder / "checkpoint-10");
  CHECK(checkpoint_step(folder / "checkpoint-10") == 10);
  CHECK_FALSE(checkpoint_step(folder / "checkpoint-11").has_value());
}
