// SPDX-License-Identifier: Apache-2.0
#include <graft/train/run_callbacks.hpp>

#include <graft/adapter/lora.hpp>
#include <graft/backend/reference.hpp>
#include <graft/data/batches.hpp>
#include <graft/model/llama.hpp>
#include <graft/optim/sgd.hpp>

#include <support/files.hpp>
#include <support/tiny_data.hpp>
#include <support/tiny_model.hpp>

#include <doctest/doctest.h>

#include <limits>
#include <sstream>

using namespace graft;
namespace fs = std::filesystem;

static_assert(Callback<ShowProgress> && Callback<LogMetrics> && Callback<EvaluateEvery>);

namespace {

/// Runs `steps` steps whose evaluations find the losses given, and notes what happened.
struct Held {
  Held(EvaluateEveryOptions options, std::vector<double> losses, Index steps, TrainerState start = {}) : state(std::move(start)) {
    EvaluationLog log(folder / "eval.jsonl");
    Progress progress(out, {});
    std::size_t next = 0;
    EvaluateEvery callback(
        options, state,
        [&] {
          Evaluation evaluation;
          evaluation.tokens = 10;
          evaluation.nll = 10 * losses.at(next++);
          return evaluation;
        },
        [&](Index step) { best.push_back(step); }, log, progress);
    for (Index step = 1; step <= steps && stopped == 0; ++step) {
      StepContext context;
      context.step = step;
      context.total_steps = steps;
      if (callback.on_step_end(context) == Flow::stop) stopped = step;
    }
    for (auto const& row : read_rows<EvaluationRow>(folder / "eval.jsonl")) evaluated.push_back(row.step);
  }
  test::TemporaryDirectory folder;
  std::ostringstream out;
  TrainerState state;
  std::vector<Index> best, evaluated;
  Index stopped = 0;
};

}  // namespace

TEST_CASE("run_callbacks: evaluations come every n steps and at the end, and the best is kept count of") {
  Held const run({.every = 2}, {3, 2, 2.5, 1.5}, 7);
  CHECK(run.evaluated == std::vector<Index>{2, 4, 6, 7});
  CHECK(run.best == std::vector<Index>{2, 4, 7});
  CHECK(run.state.best_metric == 1.5);
  CHECK(run.state.best_step == 7);
  CHECK(run.state.evaluations_without_gain == 0);
  CHECK(run.stopped == 0);
  CHECK(run.out.str().find("step 4  held-out loss 2  perplexity 7.38906  (best so far)\n") != std::string::npos);
  CHECK(run.out.str().find("step 6  held-out loss 2.5  perplexity 12.1825\n") != std::string::npos);
  CHECK(Held({.every = 0}, {3}, 5).evaluated == std::vector<Index>{5});
  CHECK(Held({.every = 10}, {3}, 5).evaluated == std::vector<Index>{5});
  CHECK(Held({.every = 5}, {3}, 5).evaluated == std::vector<Index>{5});  // once, not twice
}

TEST_CASE("run_callbacks: a run stops after so many evaluations in a row without gain") {
  Held const run({.every = 1, .patience = 2}, {3, 3, 2.9, 3, 3, 1}, 6);
  CHECK(run.stopped == 5);
  CHECK(run.best == std::vector<Index>{1, 3});
  CHECK(run.state.best_step == 3);
  CHECK(run.out.str().find("stopping early: 2 evaluations without gain") != std::string::npos);
  CHECK(Held({.every = 1, .patience = 0}, {1, 2, 3, 4, 5, 6}, 6).stopped == 0);
  CHECK(Held({.every = 1, .patience = 1}, {1, 1}, 2).stopped == 2);
}

TEST_CASE("run_callbacks: a gain must be as large as asked for; a loss that is not finite is none") {
  Held const run({.every = 1, .patience = 3, .least_gain = 0.1}, {3, 2.95, 2.85, 2.75}, 4);
  CHECK(run.best == std::vector<Index>{1, 3});
  double const nan = std::numeric_limits<double>::quiet_NaN();
  Held const broken({.every = 1, .patience = 2}, {nan, 4, nan, 5}, 4);
  CHECK(broken.best == std::vector<Index>{2});
  CHECK(broken.stopped == 4);
}

TEST_CASE("run_callbacks: a resumed run goes on counting from the state") {
  TrainerState state;
  state.best_metric = 2;
  state.best_step = 40;
  state.evaluations_without_gain = 1;
  Held const run({.every = 1, .patience = 2}, {2.5}, 1, state);
  CHECK(run.stopped == 1);
  CHECK(run.best.empty());
  CHECK(run.state.best_step == 40);
}

TEST_CASE("run_callbacks: each step is a line in every metrics file, the end closes them; progress is shown and ended") {
  test::TemporaryDirectory const folder;
  std::ostringstream out;
  MetricsLog first(folder / "m.jsonl"), second(folder / "m.csv");
  Progress progress(out, {.total_steps = 2});
  LogMetrics log({&first, &second}, [] {
    Metrics run;
    run.add("streamed_bytes", 12);
    return run;
  });
  ShowProgress show(progress);
  StepContext context{.step = 1, .total_steps = 2, .loss = 2.5, .nll_per_token = 2, .grad_norm = 0.5, .learning_rate = 1e-3,
                      .supervised_tokens = 7, .tokens = 30, .seconds = 0.5, .flops = 1e9};
  for (context.step = 1; context.step <= 2; ++context.step) {
    CHECK(log.on_step_end(context) == Flow::proceed);
    CHECK(show.on_step_end(context) == Flow::proceed);
  }
  log.on_train_end(context);
  show.on_train_end(context);
  for (char const* name : {"m.jsonl", "m.csv"}) {
    auto const rows = read_rows(folder / name);
    REQUIRE(rows.size() == 2);
    CHECK(rows[1] == MetricsRow{2, 2.5, 0.5, 1e-3, 7, 30, 0.5, 60});
  }
  auto const lines = test::read_file(folder / "m.jsonl");
  CHECK(lines.find("\n{\"peak_rss_bytes\": ") != std::string::npos);
  CHECK(lines.ends_with(", \"streamed_bytes\": 12}\n"));
  CHECK(out.str().starts_with("step 1/2  loss 2.5000  lr 1.00e-03  60 tok/s  2.0 GFLOP/s"));
  CHECK(out.str().find("step 2/2") != std::string::npos);
}

TEST_CASE("run_callbacks: checkpoints are written every n steps with where the run stands, and pruned but for the best") {
  auto const config = test::tiny_config();
  test::RandomWeights weights(config);
  Reference backend;
  Transformer<Llama, double, Reference, Lora> model(config, Lora{.rank = 1}, backend, weights.provider());
  Batches data(test::tiny_dataset(config, 5), {.batch_size = 2});
  auto optimizer = bind(Sgd{}, model.trainable());
  test::TemporaryDirectory const folder;
  TrainerState state;
  state.best_step = 2;
  state.best_metric = 1.25;
  SaveCheckpoints save(folder.path(), 2, 2, state, model, optimizer, data);
  static_assert(Callback<decltype(save)>);
  for (Index step = 1; step <= 9; ++step) {
    (void)data.next_step();
    model.set_dropout(0, static_cast<std::uint64_t>(10 * step));
    StepContext context;
    context.step = step;
    CHECK(save.on_step_end(context) == Flow::proceed);
    CHECK(state.step == step);
    CHECK(state.cursor == data.cursor());
    CHECK(state.dropout_pass == static_cast<std::uint64_t>(10 * step));
  }
  std::set<std::string> names;
  for (auto const& entry : fs::directory_iterator(folder.path())) names.insert(entry.path().filename().string());
  CHECK(names == std::set<std::string>{"checkpoint-2", "checkpoint-6", "checkpoint-8"});
  auto const saved = read_trainer_state(folder / "checkpoint-8");
  CHECK(saved.step == 8);
  CHECK(saved.dropout_pass == 80);
  CHECK(saved.best_metric == 1.25);
  SaveCheckpoints never(folder / "none", 0, 1, state, model, optimizer, data);
  CHECK(never.on_step_end({}) == Flow::proceed);
  CHECK_FALSE(fs::exists(folder / "none"));
}
