// SPDX-License-Identifier: Apache-2.0
// The snippets of docs/reward.md, and what losses on scores must and must not be. Compiling is the test.
#include <graft/adapter/lora.hpp>
#include <graft/backend/reference.hpp>
#include <graft/io/build_model.hpp>
#include <graft/io/peft.hpp>
#include <graft/loss/cross_entropy.hpp>
#include <graft/loss/reward/bradley_terry.hpp>
#include <graft/loss/reward/plackett_luce.hpp>
#include <graft/model/llama.hpp>
#include <graft/train/value_and_grad.hpp>

namespace docs_reward {

using namespace graft;

static_assert(ScoreLoss<BradleyTerry> && ScoreLoss<PlackettLuce>);
static_assert(!ScoreLoss<CrossEntropy> && !Loss<BradleyTerry>);
static_assert(TrainingLoss<CrossEntropy> && TrainingLoss<BradleyTerry> && !TrainingLoss<int>);
static_assert(step_options(BradleyTerry{}).heads == Heads::score && step_options(CrossEntropy{}).heads == Heads::language);

// docs: shared
inline auto policy_and_reward(std::filesystem::path const& path, std::filesystem::path const& adapter, Reference& backend) {
  auto const files = open_model(path);
  auto policy = build_model<Llama, float>(files, Lora{.rank = 16, .alpha = 32}, backend);
  auto reward = build_model<Llama, float>(files, read_peft_config(adapter), backend);
  load_peft(*reward, adapter);
  return std::pair(std::move(policy), std::move(reward));
}
// docs: end

}  // namespace docs_reward
