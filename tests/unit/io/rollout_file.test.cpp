// SPDX-License-Identifier: Apache-2.0
#include <graft/io/rollout_file.hpp>

#include <doctest/doctest.h>
#include <support/files.hpp>
#include <support/message_of.hpp>

#include <limits>

using namespace graft;
using Ids = std::vector<std::int32_t>;

TEST_CASE("rollout_file: what is saved is loaded, to the last bit, with what is not there yet left out") {
  test::TemporaryDirectory const folder;
  Rollout rollout;
  rollout.samples = 2;
  rollout.temperature = 0.7;
  rollout.add(Ids{1, 2}, Ids{3, 4, 5}, true, 7);
  rollout.add(Ids{1, 2}, Ids{6}, false, 7);
  for (int i = 0; i < 2; ++i) {
    save_rollout(folder / "rollout.safetensors", rollout);
    CHECK(load_rollout(folder / "rollout.safetensors") == rollout);
    rollout.rewards = {1.0 / 3, -std::numeric_limits<double>::infinity()};
    rollout.logprobs = {-0.1, -0.2, -0.3, -4e-300};
    rollout.mask = {1, 0, 1, 1};
    rollout.advantages = rollout.returns = rollout.values = rollout.entropies = rollout.ref_logprobs = rollout.logprobs;
  }
}

TEST_CASE("rollout_file: a file that is no rollout is refused") {
  test::TemporaryDirectory const folder;
  auto const path = folder / "other.safetensors";
  std::vector<float> const ids{1, 2};
  write_safetensors(path, std::vector<TensorToWrite>{{"ids", "F32", {2}, std::as_bytes(std::span(ids))}});
  CHECK(test::message_of([&] { (void)load_rollout(path); }).find("ids must be one dimension of I32: got F32") != std::string::npos);
  std::vector<std::int32_t> const whole{1, 2};
  write_safetensors(path, std::vector<TensorToWrite>{{"ids", "I32", {2}, std::as_bytes(std::span(whole))}});
  CHECK(test::message_of([&] { (void)load_rollout(path); }).find("is no rollout: it lacks samples_and_temperature") != std::string::npos);
}
