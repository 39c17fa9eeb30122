// SPDX-License-Identifier: Apache-2.0
#include <graft/data/rollout.hpp>

#include <doctest/doctest.h>
#include <support/message_of.hpp>

using namespace graft;
using Ids = std::vector<std::int32_t>;

namespace {

Rollout three() {
  Rollout rollout;
  rollout.add(Ids{1, 2}, Ids{3, 4, 5}, true, 7);
  rollout.add(Ids{1}, Ids{6}, false, 8);
  rollout.add(Ids{9, 8, 7}, Ids{6, 5}, true, 9);
  rollout.logprobs = {-1, -2, -3, -4, -5, -6};
  rollout.advantages = {1, 2, 3, 4, 5, 6};
  rollout.mask = {1, 1, 1, 0, 1, 1};
  return rollout;
}

}  // namespace

TEST_CASE("rollout: a batch asks the row before each completion token and takes along what is known of it") {
  auto const rollout = three();
  rollout.validate();
  std::vector<std::size_t> const chosen{2, 0};
  auto const batch = policy_batch(rollout, chosen);
  CHECK(batch.ids == Ids{9, 8, 7, 6, 5, 1, 2, 3, 4, 5});
  CHECK(batch.cu_seqlens == Ids{0, 5, 10});
  CHECK(batch.rows == Ids{2, 3, 6, 7, 8});
  CHECK(batch.targets == Ids{6, 5, 3, 4, 5});
  CHECK(batch.completions == Ids{0, 2, 5});
  CHECK(batch.records == std::vector<Index>{9, 7});
  CHECK(batch.old_logprobs == std::vector<double>{-5, -6, -1, -2, -3});
  CHECK(batch.weights == std::vector<float>{1, 1, 1, 1, 1});
  CHECK(batch.ref_logprobs.empty());
  CHECK(batch.prefix_tokens.empty());
}

TEST_CASE("rollout: samples of one prompt that stand together have it once, but for the token that predicts") {
  Rollout rollout;
  rollout.samples = 2;
  rollout.add(Ids{9, 8, 7}, Ids{6, 5}, true, 1);
  rollout.add(Ids{9, 8, 7}, Ids{4}, true, 1);
  rollout.add(Ids{9, 8}, Ids{4}, true, 2);
  rollout.add(Ids{9, 8}, Ids{3}, true, 2);
  std::vector<std::size_t> const all{0, 1, 2, 3}, mixed{0, 2, 1};
  auto const batch = policy_batch(rollout, all);
  CHECK(batch.ids == Ids{9, 8, 7, 6, 5, 7, 4, 9, 8, 4, 8, 3});
  CHECK(batch.cu_seqlens == Ids{0, 5, 7, 10, 12});
  CHECK(batch.prefix_tokens == Ids{0, 2, 0, 1});
  CHECK(batch.rows == Ids{2, 3, 5, 8, 10});
  CHECK(batch.targets == Ids{6, 5, 4, 4, 3});
  CHECK(policy_batch(rollout, mixed).prefix_tokens.empty());
  auto const parts = cut_by_tokens(rollout, all, 7);
  REQUIRE(parts.size() == 2);
  CHECK(parts[0].size() == 2);
}

TEST_CASE("rollout: parts hold at most so many tokens, but never less than a sequence") {
  auto const rollout = three();
  std::vector<std::size_t> const all{0, 1, 2};
  auto const lengths = [&](Index tokens) {
    std::vector<std::size_t> sizes;
    for (auto const part : cut_by_tokens(rollout, all, tokens)) sizes.push_back(part.size());
    return sizes;
  };
  CHECK(lengths(100) == std::vector<std::size_t>{3});
  CHECK(lengths(7) == std::vector<std::size_t>{2, 1});
  CHECK(lengths(1) == std::vector<std::size_t>{1, 1, 1});
}

TEST_CASE("rollout: what does not fit together is refused by name") {
  auto rollout = three();
  rollout.rewards = {1, 2};
  CHECK(test::message_of([&] { rollout.validate(); }) == "[rollout] rewards must be empty or have 3 entries: got 2");
  rollout = three();
  rollout.values = {1};
  CHECK(test::message_of([&] { rollout.validate(); }) == "[rollout] values must be empty or have 6 entries: got 1");
  rollout = three();
  rollout.samples = 2;
  CHECK(test::message_of([&] { rollout.validate(); }).find("groups of samples: got 3 and 2") != std::string::npos);
  CHECK(test::message_of([&] { rollout.add(Ids{1}, Ids{}, true, 4); }).find("got 1 and 0 for record 4") != std::string::npos);
}
