// SPDX-License-Identifier: Apache-2.0
#include <graft/train/value_and_grad.hpp>

#include <graft/adapter/lora.hpp>
#include <graft/backend/reference.hpp>
#include <graft/loss/cross_entropy.hpp>
#include <graft/model/llama.hpp>

#include <support/module_bench.hpp>
#include <support/tiny_model.hpp>

#include <doctest/doctest.h>

using namespace graft;

namespace {

/// A batch that carries one label more than the base has, and a loss with a gradient in the entropy that reads it.
struct LabelledBatch : TokenBatch {
  double factor = 0;
};
struct EntropyBonus {
  using Batch = LabelledBatch;
  static constexpr bool needs_entropy = true;
  LossReport operator()(std::span<TokenStats const> stats, Batch const& batch, std::span<TokenStats> gradient) const {
    LossReport report;
    for (std::size_t n = 0; n < stats.size(); ++n) {
      report.value -= batch.factor * stats[n].entropy;
      gradient[n] = {.entropy = -batch.factor};
    }
    report.weight = static_cast<double>(stats.size());
    return report;
  }
};
static_assert(Loss<EntropyBonus>);
static_assert(detail::needs_entropy(EntropyBonus{}) && !detail::needs_entropy(CrossEntropy{}));

struct Case {
  explicit Case(double dropout = 0) : model(config, Lora{.rank = 2, .dropout = dropout}, backend, weights.provider()) {
    test::disturb(model.trainable().params);
  }
  [[nodiscard]] std::vector<test::Matrix> gradients() const { return test::detail::gradients_of(model.trainable().params); }

  ModelConfig config = test::tiny_config();
  test::RandomWeights weights{config};
  Reference backend;
  Transformer<Llama, double, Reference, Lora> model;
};

}  // namespace

TEST_CASE("value_and_grad: the gradient is that of the value it returns, and replaces what was there") {
  Case one;
  auto const batch = test::random_batch(one.config, {7, 4});
  CrossEntropy const loss{.label_smoothing = 0.2, .z_loss = 1e-2};
  for (auto const& param : one.model.trainable().params) std::fill_n(param.grad.data, param.grad.size(), 1e3);
  auto const report = value_and_grad(one.model, loss, batch);
  CHECK(report.weight == static_cast<double>(batch.supervised()));
  std::vector<TokenStats> ignored(batch.rows.size());
  auto const value = [&] { return loss(one.model.forward(batch), batch, ignored).value; };
  CHECK(report.value == value());
  auto const result = test::check_gradients(one.model.trainable().params, value, 6);
  CHECK_MESSAGE(result.largest <= 1e-6, result.where, " deviates by ", result.largest);

  auto const once = one.gradients();
  accumulate_grad(one.model, loss, batch);
  auto const twice = one.gradients();
  for (std::size_t p = 0; p < once.size(); ++p) CHECK(test::distance(twice[p], test::sum(once[p], once[p])) <= 1e-14);
}

TEST_CASE("value_and_grad: a loss that needs it gets a gradient through the entropy, and its own batch") {
  Case one;
  LabelledBatch batch;
  static_cast<TokenBatch&>(batch) = test::random_batch(one.config, {6});
  batch.factor = 0.7;
  auto const report = value_and_grad(one.model, EntropyBonus{}, batch);
  std::vector<TokenStats> ignored(batch.rows.size());
  auto const value = [&] { return EntropyBonus{}(one.model.forward(batch), batch, ignored).value; };
  CHECK(report.value == value());
  auto const result = test::check_gradients(one.model.trainable().params, value, 6);
  CHECK_MESSAGE(result.largest <= 1e-6, result.where, " deviates by ", result.largest);
}

TEST_CASE("value_and_grad: dropout acts, with a mask of its own for every call and the same for the same call") {
  Case one(0.5);
  auto const batch = test::random_batch(one.config, {7, 4});
  one.model.set_dropout(3, 0);
  auto const first = value_and_grad(one.model, CrossEntropy{}, batch).value;
  CHECK(one.model.pass() == 1);
  auto const second = value_and_grad(one.model, CrossEntropy{}, batch).value;
  CHECK(one.model.pass() == 2);
  CHECK(first != second);
  one.model.set_dropout(3, 0);
  CHECK(value_and_grad(one.model, CrossEntropy{}, batch).value == first);
  one.model.set_dropout(4, 0);
  CHECK(value_and_grad(one.model, CrossEntropy{}, batch).value != first);
}

TEST_CASE("value_and_grad: the reports of micro-batches are summed; of none, the gradient is zero") {
  Case one;
  std::vector<TokenBatch> step{test::random_batch(one.config, {7}, 1), test::random_batch(one.config, {5, 3}, 2)};
  double const weight = step[0].total_weight() + step[1].total_weight();
  for (auto& batch : step) batch.normalizer = weight;
  LossReport sum;
  for (auto const& batch : step) {
    auto const part = value_and_grad(one.model, CrossEntropy{}, batch);
    sum.value += part.value;
    sum.negative_log_likelihood += part.negative_log_likelihood;
  }
  auto const report = value_and_grad(one.model, CrossEntropy{}, step);
  CHECK(report.value == sum.value);
  CHECK(report.negative_log_likelihood == sum.negative_log_likelihood);
  CHECK(report.weight == weight);
  CHECK(report.value == doctest::Approx(report.negative_log_likelihood / weight));
  CHECK(value_and_grad(one.model, CrossEntropy{}, std::vector<TokenBatch>{}).weight == 0);
  for (auto const& gradient : one.gradients()) CHECK(gradient == test::Matrix(gradient.rows, gradient.cols));
}
