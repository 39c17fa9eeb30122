// SPDX-License-Identifier: Apache-2.0
#include <graft/train/train.hpp>

#include <graft/adapter/lora.hpp>
#include <graft/backend/reference.hpp>
#include <graft/data/batches.hpp>
#include <graft/loss/cross_entropy.hpp>
#include <graft/model/llama.hpp>
#include <graft/optim/adamw.hpp>
#include <graft/optim/schedule.hpp>
#include <graft/optim/sgd.hpp>

#include <support/matrix.hpp>
#include <support/message_of.hpp>
#include <support/tiny_data.hpp>
#include <support/tiny_model.hpp>

#include <doctest/doctest.h>

#include <limits>

using namespace graft;

namespace {

auto const config = test::tiny_config();

struct Run {
  test::RandomWeights weights{config};
  Reference backend;
  Transformer<Llama, double, Reference, Lora> model{config, Lora{.rank = 2, .dropout = 0.1}, backend, weights.provider()};
  Batches data{test::tiny_dataset(config, 7), {.batch_size = 3, .gradient_accumulation = 2, .seed = 1}};
  Bound<AdamW, double, Reference> optimizer = bind(AdamW{}, model.trainable());
};

/// Notes what it was told, in a journal that several share; stops after a step.
struct Note {
  std::string name;
  std::vector<std::string>* journal;
  Index stop_after = 0;
  std::vector<StepContext> contexts = {};

  Flow on_step_end(StepContext const& context) {
    journal->push_back(name + std::to_string(context.step));
    contexts.push_back(context);
    return context.step == stop_after ? Flow::stop : Flow::proceed;
  }
  void on_train_end(StepContext const& context) { journal->push_back(name + " end " + std::to_string(context.step)); }
};
struct StepOnly {
  std::vector<std::string>* journal;
  Flow on_step_end(StepContext const&) {
    journal->push_back("s");
    return Flow::proceed;
  }
};

}  // namespace

TEST_CASE("train: is the loop that one writes by hand, to the bit") {
  Run by_hand, by_train;
  auto const schedule = LinearWithWarmup{.peak_lr = 1e-2, .warmup_steps = 2, .total_steps = 5};
  for (Index step = 0; step < 5; ++step) {
    value_and_grad(by_hand.model, CrossEntropy{.label_smoothing = 0.1}, by_hand.data.next_step());
    clip_grad_norm(by_hand.model.trainable(), 0.5);
    by_hand.optimizer.step(schedule(step));
  }
  auto const last = train(by_train.model, CrossEntropy{.label_smoothing = 0.1}, by_train.optimizer, schedule, by_train.data,
                          {.total_steps = 5, .max_grad_norm = 0.5});
  CHECK(last.step == 5);
  CHECK(test::trained_values(by_train.model) == test::trained_values(by_hand.model));
  CHECK(by_train.data.cursor() == by_hand.data.cursor());
  CHECK(by_train.model.pass() == by_hand.model.pass());
}

TEST_CASE("train: callbacks hear of every step in their order, and of the end; the context says what the step was") {
  Run run, twin;
  std::vector<std::string> journal;
  Note a{"a", &journal}, b{"b", &journal};
  StepOnly s{&journal};
  auto const schedule = [](Index step) { return 1e-3 * static_cast<double>(step + 1); };
  train(run.model, CrossEntropy{}, run.optimizer, schedule, run.data, {.total_steps = 4, .first_step = 1, .count_flops = true}, b, s, a);
  CHECK(journal == std::vector<std::string>{"b2", "s", "a2", "b3", "s", "a3", "b4", "s", "a4", "b end 4", "a end 4"});
  for (auto const& context : a.contexts) {
    auto const step = twin.data.next_step();
    auto const report = value_and_grad(twin.model, CrossEntropy{}, step);
    double const norm = grad_norm(twin.model.trainable());
    clip_grad_norm(twin.model.trainable(), 1);
    twin.optimizer.step(schedule(context.step - 1));
    CHECK(context.total_steps == 4);
    CHECK(context.loss == report.value);
    CHECK(context.nll_per_token == report.negative_log_likelihood / report.weight);
    CHECK(context.grad_norm == norm);
    CHECK(context.learning_rate == schedule(context.step - 1));
    Index tokens = 0, supervised = 0;
    double flops = 0;
    for (auto const& batch : step) {
      tokens += batch.tokens();
      supervised += batch.supervised();
      flops += twin.model.plan(batch).flops;
    }
    CHECK(context.tokens == tokens);
    CHECK(context.supervised_tokens == supervised);
    CHECK(context.flops == flops);
    CHECK(context.seconds > 0);
  }
}

TEST_CASE("train: stops when one callback says so, after the others heard of that step") {
  Run run;
  std::vector<std::string> journal;
  Note a{"a", &journal, 2}, b{"b", &journal};
  auto const last = train(run.model, CrossEntropy{}, run.optimizer, Constant{1e-3}, run.data, {.total_steps = 9}, a, b);
  CHECK(last.step == 2);
  CHECK(last.flops == 0);
  CHECK(journal == std::vector<std::string>{"a1", "b1", "a2", "b2", "a end 2", "b end 2"});
}

TEST_CASE("train: no steps are no steps") {
  Run run;
  auto const before = test::trained_values(run.model);
  CHECK(train(run.model, CrossEntropy{}, run.optimizer, Constant{1}, run.data, {.total_steps = 3, .first_step = 3}).step == 0);
  CHECK(test::trained_values(run.model) == before);
  CHECK(run.data.cursor().position == 0);
}

TEST_CASE("train: a step that is not finite ends the run before it reaches a weight") {
  Run run;
  auto optimizer = bind(Sgd{}, run.model.trainable());
  std::vector<double> after_last;
  Index last = 0;
  struct Keep {
    Run* run;
    std::vector<double>* values;
    Index* step;
    Flow on_step_end(StepContext const& context) {
      *values = test::trained_values(run->model);
      *step = context.step;
      return Flow::proceed;
    }
  } keep{&run, &after_last, &last};
  auto const message = test::message_of([&] {
    train(run.model, CrossEntropy{}, optimizer, [](Index step) { return step < 2 ? 1e-3 : 1e200; }, run.data, {.total_steps = 50}, keep);
  });
  CAPTURE(message);
  CHECK(last >= 3);
  CHECK(message.starts_with("[train] step " + std::to_string(last + 1) + " has loss="));
  CHECK(message.find("; the first gradient that is not finite: model.layers.") != std::string::npos);
  CHECK(message.ends_with(". The weights are those of step " + std::to_string(last) + "; try a lower learning rate"));
  CHECK(test::trained_values(run.model) == after_last);
  for (double const value : after_last) CHECK(std::isfinite(value));
}

TEST_CASE("train: the message names the first parameter with a gradient that is not finite, or the loss") {
  test::Matrix w(2, 3, 1), b(1, 2, 1), dw(2, 3, 1), db(1, 2, 1);
  Reference backend;
  Trainable<double, Reference> const trainable{&backend, {{"w", {2, 3}, w.view(), dw.view()}, {"b", {2}, b.view(), db.view()}}};
  CHECK(first_nonfinite_gradient(trainable) == "none: the loss itself");
  db(0, 1) = std::numeric_limits<double>::quiet_NaN();
  CHECK(first_nonfinite_gradient(trainable) == "b");
  dw(1, 2) = std::numeric_limits<double>::infinity();
  CHECK(first_nonfinite_gradient(trainable) == "w");
}

TEST_CASE("train: a weight that is NaN is found at the first step, and the optimizer did not move") {
  Run run;
  run.model.trainable().params[5].value.data[0] = std::numeric_limits<double>::quiet_NaN();
  auto const message = test::message_of(
      [&] { train(run.model, CrossEntropy{}, run.optimizer, Constant{1e-3}, run.data, {.total_steps = 2}); });
  CAPTURE(message);
  CHECK(message.starts_with("[train] step 1 has loss="));
  CHECK(message.find("nan; the first gradient that is not finite: model.layers.0.self_attn.q_proj.lora_A.weight. The weights are those of step 0") !=
        std::string::npos);
  CHECK(run.optimizer.steps() == 0);
}
