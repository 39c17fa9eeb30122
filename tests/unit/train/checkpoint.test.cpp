// SPDX-License-Identifier: Apache-2.0
#include <graft/train/checkpoint.hpp>

#include <graft/adapter/lora.hpp>
#include <graft/backend/reference.hpp>
#include <graft/data/batches.hpp>
#include <graft/loss/cross_entropy.hpp>
#include <graft/model/llama.hpp>
#include <graft/optim/adamw.hpp>
#include <graft/optim/adamw8bit.hpp>
#include <graft/optim/schedule.hpp>
#include <graft/optim/sgd.hpp>
#include <graft/train/train.hpp>

#include <support/files.hpp>
#include <support/message_of.hpp>
#include <support/tiny_data.hpp>
#include <support/tiny_model.hpp>

#include <doctest/doctest.h>

using namespace graft;
namespace fs = std::filesystem;

namespace {

auto const config = test::tiny_config();
constexpr Index total_steps = 6;

/// A training run with everything that has state: dropout, shuffled epochs of three steps, micro-batches, AdamW.
struct Run {
  explicit Run(Lora const& lora = {.rank = 2, .dropout = 0.2, .seed = 4}) : model(config, lora, backend, weights.provider()) {
    model.set_dropout(31, 0);
  }
  test::RandomWeights weights{config};
  Reference backend;
  Transformer<Llama, float, Reference, Lora> model;
  Batches data{test::tiny_dataset(config, 8, 2, 7), {.batch_size = 3, .gradient_accumulation = 2, .seed = 9}};
  Bound<AdamW, float, Reference> optimizer = bind(AdamW{.weight_decay = 0.1}, model.trainable());

  void go(Index from, Index to) {
    train(model, CrossEntropy{}, optimizer, CosineWithWarmup{.peak_lr = 1e-2, .warmup_steps = 2, .total_steps = total_steps}, data,
          {.total_steps = to, .first_step = from});
  }
  void save(fs::path const& directory, Index step) const {
    TrainerState state;
    state.step = step;
    state.cursor = data.cursor();
    state.dropout_pass = model.pass();
    save_checkpoint(directory, model, optimizer, state);
  }
  TrainerState load(fs::path const& directory) {
    auto const state = load_checkpoint(directory, model, optimizer);
    data.seek(state.cursor);
    model.set_dropout(31, state.dropout_pass);
    return state;
  }
  [[nodiscard]] std::vector<float> everything() const {
    auto values = test::trained_values(model);
    for (auto const& tensor : optimizer.tensors()) values.insert(values.end(), tensor.value.data, tensor.value.data + tensor.value.size());
    return values;
  }
};

}  // namespace

TEST_CASE("checkpoint: a run interrupted after any step and resumed in a new process ends in the same bits") {
  test::TemporaryDirectory const folder;
  Run whole;
  for (Index step = 0; step < total_steps; ++step) {
    whole.save(folder / ("checkpoint-" + std::to_string(step)), step);
    whole.go(step, step + 1);
  }
  CHECK(whole.data.cursor().epoch == 2);
  for (Index step = 0; step < total_steps; ++step) {
    CAPTURE(step);
    Run resumed({.rank = 2, .dropout = 0.2, .seed = 77});  // its own first weights must not matter
    auto const state = resumed.load(folder / ("checkpoint-" + std::to_string(step)));
    CHECK(state.step == step);
    CHECK(resumed.optimizer.steps() == step);
    resumed.go(step, total_steps);
    CHECK((resumed.everything() == whole.everything()));
    CHECK(resumed.data.cursor() == whole.data.cursor());
    CHECK(resumed.model.pass() == whole.model.pass());
  }
  Run other;  // that the comparison can fail: one state forgotten is enough
  other.load(folder / "checkpoint-3");
  other.model.set_dropout(31, 0);
  other.go(3, total_steps);
  CHECK((other.everything() != whole.everything()));
}

TEST_CASE("checkpoint: state in 8 bits is stored as it is and goes on to the same bits; a part that is missing is named") {
  test::TemporaryDirectory const folder;
  AdamW8bit const spec{.weight_decay = 0.1, .min_8bit_size = 20};  // some parameters in 8 bits, some not
  auto const go = [](Run& run, auto& optimizer, Index from, Index to) {
    train(run.model, CrossEntropy{}, optimizer, Constant{.peak_lr = 1e-2}, run.data, {.total_steps = to, .first_step = from});
  };
  Run whole, resumed;
  auto optimizer = bind(spec, whole.model.trainable());
  go(whole, optimizer, 0, 2);
  TrainerState state;
  state.step = 2;
  state.cursor = whole.data.cursor();
  state.dropout_pass = whole.model.pass();
  save_checkpoint(folder / "checkpoint-2", whole.model, optimizer, state);
  go(whole, optimizer, 2, 4);
  auto fresh = bind(spec, resumed.model.trainable());
  (void)load_checkpoint(folder / "checkpoint-2", resumed.model, fresh);
  resumed.data.seek(state.cursor);
  resumed.model.set_dropout(31, state.dropout_pass);
  go(resumed, fresh, 2, 4);
  CHECK((test::trained_values(resumed.model) == test::trained_values(whole.model)));
  auto other = bind(AdamW8bit{.min_8bit_size = 0}, resumed.model.trainable());
  CHECK(test::message_of([&] { (void)load_checkpoint(folder / "checkpoint-2", resumed.model, other); }).find("numbers of dtype U8") !=
        std::string::npos);
}

TEST_CASE("checkpoint: saving changes nothing, and saving over an old checkpoint replaces it whole") {
  test::TemporaryDirectory const folder;
  Run run;
  run.go(0, 2);
  auto const before = run.everything();
  run.save(folder / "checkpoint-2", 2);
  CHECK((run.everything() == before));
  test::write_file(folder / "checkpoint-2/extra.safetensors", "x");
  run.go(2, 3);
  run.save(folder / "checkpoint-2", 3);
  CHECK_FALSE(fs::exists(folder / "checkpoint-2/extra.safetensors"));
  Run resumed;
  CHECK(resumed.load(folder / "checkpoint-2").step == 3);
  CHECK((resumed.everything() == run.everything()));
  std::set<std::string> files;
  for (auto const& entry : fs::directory_iterator(folder / "checkpoint-2")) files.insert(entry.path().filename().string());
  CHECK(files == std::set<std::string>{"trainable.safetensors", "optimizer.safetensors", "trainer_state.json"});
}

TEST_CASE("checkpoint: of another model, another optimizer or a broken file, it is refused with the tensor's name") {
  test::TemporaryDirectory const folder;
  fs::path const directory = folder / "checkpoint-1";
  Run run;
  run.go(0, 1);
  run.save(directory, 1);
  auto const refused = [&](auto&& load) { return test::message_of([&] { load(); }); };
  Run wider({.rank = 3});
  CHECK(refused([&] { wider.load(directory); }) ==
        "[checkpoint] " + (directory / "trainable.safetensors").string() +
            ": model.layers.0.self_attn.q_proj.lora_A.weight has shape (2, 12), but the model needs (3, 12)");
  Run fewer({.rank = 2, .target_modules = {"q_proj"}});
  CHECK(refused([&] { fewer.load(directory); }).find(" belongs to nothing in this model") != std::string::npos);

  Run same;
  auto sgd = bind(Sgd{.momentum = 0.9}, same.model.trainable());
  CHECK(refused([&] { (void)load_checkpoint(directory, same.model, sgd); }).find("optimizer.safetensors has no tensor model.layers.0.self_attn.q_proj.lora_A.weight.") !=
        std::string::npos);
  std::string const optimizer = test::read_file(directory / "optimizer.safetensors");
  test::write_file(directory / "optimizer.safetensors", std::string_view(optimizer).substr(0, optimizer.size() - 4));
  CHECK(refused([&] { same.load(directory); }).find((directory / "optimizer.safetensors").string()) != std::string::npos);
  fs::remove(directory / "optimizer.safetensors");
  CHECK(refused([&] { same.load(directory); }).find((directory / "optimizer.safetensors").string()) != std::string::npos);
  fs::remove(directory / "trainer_state.json");
  CHECK(refused([&] { same.load(directory); }).find((directory / "trainer_state.json").string()) != std::string::npos);
}

TEST_CASE("checkpoint: pruning keeps the newest and the best, and touches nothing that is no checkpoint") {
  test::TemporaryDirectory const folder;
  auto const make = [&](std::string const& name, bool complete = true) {
    fs::create_directory(folder / name);
    if (complete) test::write_file(folder / (name + "/trainer_state.json"), "{}");
  };
  auto const left = [&] {
    std::set<std::string> names;
    for (auto const& entry : fs::directory_iterator(folder.path())) names.insert(entry.path().filename().string());
    return names;
  };
  std::set<std::string> const others{"best", "checkpoint-", "checkpoint-007", "checkpoint-99999999999999999999999", "checkpoint-x"};
  for (auto const& name : others) make(name);
  make("checkpoint-1", false);  // not ours, or not whole: not for us to remove
  auto const expect = [&](std::set<std::string> names) {
    names.insert(others.begin(), others.end());
    names.insert("checkpoint-1");
    CHECK(left() == names);
  };
  for (Index const step : {2, 9, 10, 20, 100}) make("checkpoint-" + std::to_string(step));
  prune_checkpoints(folder.path(), 5, 0);
  expect({"checkpoint-2", "checkpoint-9", "checkpoint-10", "checkpoint-20", "checkpoint-100"});
  prune_checkpoints(folder.path(), 3, 9);
  expect({"checkpoint-9", "checkpoint-10", "checkpoint-20", "checkpoint-100"});
  prune_checkpoints(folder.path(), 3, 9);  // the best stays beside the newest three
  expect({"checkpoint-9", "checkpoint-10", "checkpoint-20", "checkpoint-100"});
  prune_checkpoints(folder.path(), 1, 100);
  expect({"checkpoint-100"});
}
