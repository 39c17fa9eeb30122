// SPDX-License-Identifier: Apache-2.0
// What a precision costs and gives: the first step's loss and gradient beside those of f32, and the seconds of a step.
//   bench_train_precision [--model FILE] [--data FILE.jsonl] [--records 8] [--sequences 4] [--length 512] [--steps 3]
//                         [--precision int8|bf16] [--backend auto|eigen|onednn|cuda] [--threads N] [--smoke]
// The adapter's B starts as small random numbers, not as zero: so gradients of A and of everything before an adapter count.
// With --data the batch is the first records of a JSONL file, else dense random tokens. Steps of the two precisions take
// turns, and the fastest of each counts, so a slow minute of the machine hits both.
#include "bench_model.hpp"
#include "flags.hpp"

#include <graft/adapter/selected.hpp>
#include <graft/backend/default_backend.hpp>
#include <graft/core/parallel.hpp>
#include <graft/data/chat_data.hpp>
#include <graft/loss/cross_entropy.hpp>
#include <graft/train/value_and_grad.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <map>
#include <string>
#include <vector>

namespace graft::bench {

/// Sums that make a cosine and a relative error.
struct Agreement {
  double product = 0, exact = 0, rounded = 0, difference = 0;
  void add(double a, double b) {
    product += a * b;
    exact += a * a;
    rounded += b * b;
    difference += (a - b) * (a - b);
  }
  [[nodiscard]] double cosine() const { return product / std::sqrt(exact * rounded); }
  [[nodiscard]] double error() const { return std::sqrt(difference / exact); }
};

/// Seconds of the wall, and of all threads together.
struct Seconds {
  double wall = 1e9, processor = 1e9;
};

template <class F>
void time_step(Seconds& best, F&& step) {
  auto const start = std::chrono::steady_clock::now();
  auto const before = std::clock();
  step();
  best.wall = std::min(best.wall, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  best.processor = std::min(best.processor, static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC);
}

inline int run(Flags const& flags) {
  if (flags.set("threads")) set_num_threads(static_cast<int>(flags.number("threads")));
  bool const smoke = flags.set("smoke");
  std::string const& path = flags.text("model");
  DefaultBackend exact = DefaultBackend::named(flags.text("backend"), "f32");
  DefaultBackend rounded = DefaultBackend::named(flags.text("backend"), flags.text("precision"));
  Selected const adapter{Method::lora, Lora{.rank = 16, .alpha = 32, .target_modules = all_linear}};
  auto const model = bench_model(path, smoke, adapter, exact), other = bench_model(path, smoke, adapter, rounded);
  Rng rng(5);
  for (std::size_t i = 0; i < model->trainable().params.size(); ++i) {
    auto const& param = model->trainable().params[i];
    if (param.name.find("lora_B") == std::string::npos) continue;
    for (Index j = 0; j < param.value.size(); ++j)
      param.value.data[j] = other->trainable().params[i].value.data[j] = static_cast<float>(0.01 * rng.normal());
  }
  TokenBatch batch = dense_batch(model->config(), smoke ? 2 : flags.number("sequences"), smoke ? 16 : flags.number("length"));
  if (flags.set("data")) {
    auto data = ChatData{flags.text("data"), open_tokenizer(path), {.batch_size = flags.number("records"), .shuffle = false}};
    for (auto const& first : data.epochs(1)) {
      batch = first;
      break;
    }
  }

  Seconds plain, quick;
  double loss = 0, other_loss = 0;
  for (Index step = 0; step < (smoke ? 1 : flags.number("steps")); ++step) {
    time_step(plain, [&] { loss = value_and_grad(*model, CrossEntropy{}, batch).value; });
    time_step(quick, [&] { other_loss = value_and_grad(*other, CrossEntropy{}, batch).value; });
  }
  Agreement all;
  std::map<std::string, Agreement> by_module;
  for (std::size_t i = 0; i < model->trainable().params.size(); ++i) {
    auto const &a = model->trainable().params[i], &b = other->trainable().params[i];
    auto const end = a.name.find(".lora_"), begin = a.name.rfind('.', end - 1) + 1;
    Agreement& module = by_module[a.name.substr(begin, end - begin) + a.name.substr(end, 7)];
    for (Index j = 0; j < a.grad.size(); ++j) {
      auto const x = static_cast<double>(a.grad.data[j]), y = static_cast<double>(b.grad.data[j]);
      all.add(x, y);
      module.add(x, y);
    }
  }
  std::printf("%td tokens, %zu supervised, %d threads; %s: loss %.5f; %s: loss %.5f\n", batch.tokens(), batch.rows.size(),
              num_threads(), exact.description().c_str(), loss, rounded.description().c_str(), other_loss);
  std::printf("gradient: cosine %.5f, relative error %.4f\n", all.cosine(), all.error());
  std::printf("step without the optimizer: %.3f s and %.3f s, ratio %.2f; processor time %.3f s and %.3f s, ratio %.2f\n\n",
              plain.wall, quick.wall, plain.wall / quick.wall, plain.processor, quick.processor, plain.processor / quick.processor);
  std::printf("| gradient of | cosine | relative error |\n|---|---:|---:|\n");
  for (auto const& [name, module] : by_module) std::printf("| %s | %.5f | %.4f |\n", name.c_str(), module.cosine(), module.error());
  return 0;
}

}  // namespace graft::bench

int main(int argc, char** argv) {
  try {
    return graft::bench::run({argc, argv, {{"model", ""}, {"data", ""}, {"records", "8"}, {"sequences", "4"}, {"length", "512"}, {"steps", "3"},
                                           {"threads", ""}, {"backend", "auto"}, {"precision", "int8"}, {"smoke", ""}}});
  } catch (graft::Error const& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
