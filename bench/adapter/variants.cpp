// SPDX-License-Identifier: Apache-2.0
// What each way to adapt a model costs: adapters × ranks × target modules, a step's time, FLOPs, memory and what it trains.
//   bench_adapter_variants [--model FILE] [--sequences 4] [--length 512] [--steps 3] [--threads N] [--backend auto|eigen|onednn|cuda]
//                          [--precision f32|bf16|auto] [--only NAME] [--json FILE] [--smoke]
// Without --model the base is SmolLM2-135M's shape in float, of random weights. Each variant runs in a process of its own, so
// that its peak RSS is its own. A step is forward, backward, clipping and AdamW; `frozen` is the forward pass alone.
#include "bench_model.hpp"
#include "flags.hpp"

#include <graft/adapter/selected.hpp>
#include <graft/backend/default_backend.hpp>
#include <graft/core/parallel.hpp>
#include <graft/loss/cross_entropy.hpp>
#include <graft/optim/adamw.hpp>
#include <graft/optim/bind.hpp>
#include <graft/optim/clip.hpp>
#include <graft/train/peak_rss.hpp>
#include <graft/train/value_and_grad.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

namespace graft::bench {

struct Variant {
  std::string name;
  Selected adapter;
};

/// What one variant cost. Goes through a pipe.
struct Cost {
  double seconds = 0;  ///< median step
  double flops = 0;
  double arena_bytes = 0;
  double peak_rss_bytes = 0;
  double trained = 0;   ///< parameters
  double modules = 0;  ///< adapted modules
  double tokens = 0;
};

inline std::vector<Variant> variants(bool smoke) {
  TargetModules const attention{"q_proj", "k_proj", "v_proj", "o_proj"}, query_value{"q_proj", "v_proj"};
  auto const lora = [](Index rank, TargetModules targets, bool stabilized = false) {
    return Selected{Method::lora, Lora{.rank = rank, .alpha = 2 * static_cast<double>(rank), .rank_stabilized = stabilized,
                                       .target_modules = std::move(targets)}};
  };
  std::vector<Variant> list{{"frozen, forward only", {}}};
  for (Index const rank : {4, 8, 16, 32, 64})
    if (!smoke || rank <= 8) list.push_back({"lora r" + std::to_string(rank) + " all-linear", lora(rank, all_linear)});
  list.push_back({"rslora r8 all-linear", lora(8, all_linear, true)});
  for (Index const rank : {4, 8, 16, 32, 64})
    if (!smoke || rank == 8) list.push_back({"lora r" + std::to_string(rank) + " attention", lora(rank, attention)});
  list.push_back({"lora r8 q_proj,v_proj", lora(8, query_value)});
  list.push_back({"full fine-tuning", {Method::full, {}}});
  return list;
}

inline Cost measure(Variant const& variant, Flags const& flags) {
  using Clock = std::chrono::steady_clock;
  if (flags.set("threads")) set_num_threads(static_cast<int>(flags.number("threads")));
  bool const smoke = flags.set("smoke"), trains = variant.adapter.method != Method::frozen;
  auto backend = DefaultBackend::named(flags.text("backend"), flags.text("precision"));
  auto const model = bench_model(flags.text("model"), smoke, variant.adapter, backend);
  auto const batch = dense_batch(model->config(), smoke ? 2 : flags.number("sequences"), smoke ? 16 : flags.number("length"));
  PassOptions const options = trains ? PassOptions::step() : PassOptions{};
  auto const plan = model->plan(batch, options);
  std::vector<double> seconds;
  auto const time_steps = [&](auto const& do_step) {
    for (Index step = 0; step <= (smoke ? 1 : flags.number("steps")); ++step) {
      auto const start = Clock::now();
      do_step();
      if (step > 0) seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());  // the first one warms up
    }
  };
  if (trains) {
    auto optimizer = bind(AdamW{}, model->trainable());
    time_steps([&] {
      (void)value_and_grad(*model, CrossEntropy{}, batch);
      (void)clip_grad_norm(model->trainable(), 1.0);
      optimizer.step(2e-4);
    });
  } else {
    time_steps([&] { (void)model->forward(batch, options); });
  }
  std::nth_element(seconds.begin(), seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2), seconds.end());
  return {seconds[seconds.size() / 2], plan.flops, static_cast<double>(plan.arena_bytes), static_cast<double>(peak_rss_bytes()),
          static_cast<double>(model->trainable().elements()), static_cast<double>(model->adapted_modules().size()),
          static_cast<double>(batch.tokens())};
}

/// `measure` in a child process, forked before this one has made any thread.
inline Cost measure_apart(Variant const& variant, Flags const& flags) {
  int ends[2];
  require(pipe(ends) == 0, "bench", "no pipe");
  std::fflush(nullptr);
  pid_t const child = fork();
  require(child >= 0, "bench", "no process");
  if (child == 0) {
    int status = 1;
    try {
      Cost const cost = measure(variant, flags);
      status = write(ends[1], &cost, sizeof cost) == static_cast<ssize_t>(sizeof cost) ? 0 : 1;
    } catch (Error const& error) {
      std::fprintf(stderr, "%s: %s\n", variant.name.c_str(), error.what());
    }
    _exit(status);
  }
  close(ends[1]);
  Cost cost;
  auto const got = read(ends[0], &cost, sizeof cost);
  close(ends[0]);
  int status = 0;
  require(waitpid(child, &status, 0) == child && status == 0 && got == static_cast<ssize_t>(sizeof cost), "bench", variant.name,
          " failed");
  return cost;
}

inline int run(Flags const& flags) {
  std::string json;
  std::printf("| adapter | trained parameters | modules | s a step | tok/s | TFLOP a step | GFLOP/s | activations and scratch MB | peak RSS MB |\n"
              "|---|---:|---:|---:|---:|---:|---:|---:|---:|\n");
  Index measured = 0;
  for (auto const& variant : variants(flags.set("smoke"))) {
    if (flags.set("only") && variant.name != flags.text("only")) continue;
    Cost const cost = measure_apart(variant, flags);
    ++measured;
    std::printf("| %s | %.0f | %.0f | %.3f | %.0f | %.3f | %.0f | %.0f | %.0f |\n", variant.name.c_str(), cost.trained, cost.modules,
                cost.seconds, cost.tokens / cost.seconds, 1e-12 * cost.flops, 1e-9 * cost.flops / cost.seconds, 1e-6 * cost.arena_bytes,
                1e-6 * cost.peak_rss_bytes);
    char row[512];
    std::snprintf(row, sizeof row,
                  "{\"adapter\": \"%s\", \"trained_parameters\": %.0f, \"adapted_modules\": %.0f, \"step_seconds\": %.6f, "
                  "\"tokens\": %.0f, \"flops\": %.6g, \"arena_bytes\": %.0f, \"peak_rss_bytes\": %.0f}",
                  variant.name.c_str(), cost.trained, cost.modules, cost.seconds, cost.tokens, cost.flops, cost.arena_bytes,
                  cost.peak_rss_bytes);
    json += (json.empty() ? "[\n" : ",\n") + std::string(row);
  }
  require(measured > 0, "bench", "there is no variant \"", flags.text("only"), "\"");
  if (!flags.text("json").empty()) {
    std::ofstream file(flags.text("json"));
    file << json << "\n]\n";
    require(file.good(), "bench", "cannot write ", flags.text("json"));
  }
  return 0;
}

}  // namespace graft::bench

int main(int argc, char** argv) {
  try {
    return graft::bench::run({argc, argv, {{"model", ""}, {"sequences", "4"}, {"length", "512"}, {"steps", "3"}, {"threads", ""},
                                           {"backend", "auto"}, {"precision", "f32"}, {"only", ""}, {"json", ""}, {"smoke", ""}}});
  } catch (graft::Error const& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
