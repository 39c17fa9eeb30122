// SPDX-License-Identifier: Apache-2.0
// A LoRA training step of a model of given sizes with random weights, with the large products on the host or on a CUDA device.
//   bench_cuda_training_step [--geometry smollm2-135m] [--backend host|cuda] [--precision f32|bf16] [--sequences 4] [--length 512]
//                            [--steps 3] [--threads N] [--smoke]
// Prints the first step's loss and gradient norm, which both backends must agree on, and the best step's tokens a second.
// On a machine without a device `--backend cuda` says so and ends with status 0 when it is a smoke test.
#include "bench_model.hpp"
#include "flags.hpp"

#include <graft/adapter/lora.hpp>
#include <graft/backend/cuda.hpp>
#include <graft/core/parallel.hpp>
#include <graft/loss/cross_entropy.hpp>
#include <graft/model/geometry.hpp>
#include <graft/optim/adamw.hpp>
#include <graft/optim/bind.hpp>
#include <graft/optim/clip.hpp>
#include <graft/train/peak_rss.hpp>
#include <graft/train/value_and_grad.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <string>

namespace graft::bench {

template <class B>
void train(B& backend, Flags const& flags) {
  bool const smoke = flags.set("smoke");
  auto const config = smoke ? bench_config(true) : geometry(flags.text("geometry"));
  Transformer<Llama, float, B, Lora> model(config, Lora{.rank = 16, .alpha = 32, .target_modules = all_linear}, backend, random_weights(config));
  auto optimizer = bind(AdamW{}, model.trainable());
  auto const batch = dense_batch(config, smoke ? 2 : flags.number("sequences"), smoke ? 16 : flags.number("length"));
  double best = 1e30;
  Index const steps = smoke ? 1 : flags.number("steps");
  for (Index step = 0; step <= steps; ++step) {  // the first one warms up: it uploads the weights
    auto const start = std::chrono::steady_clock::now();
    auto const report = value_and_grad(model, CrossEntropy{}, batch);
    double const norm = clip_grad_norm(model.trainable(), 1.0);
    optimizer.step(2e-4);
    double const seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (step == 0)
      std::printf("loss %.7f, gradient norm %.7f, first step %.2f s\n", report.value, norm, seconds);
    else
      best = std::min(best, seconds);
  }
  std::printf("%s %s: %.3f s, %.0f tokens/s, peak RSS %.2f GB\n", B::name(), flags.text("precision").c_str(), best,
              static_cast<double>(batch.ids.size()) / best, static_cast<double>(peak_rss_bytes()) / 1e9);
}

inline int run(Flags const& flags) {
  if (flags.set("threads")) set_num_threads(static_cast<int>(flags.number("threads")));
  std::string const where = flags.text("backend"), precision = flags.text("precision");
  require(where == "host" || where == "cuda", "bench", "--backend must be host or cuda: got ", where);
  require(precision == "f32" || precision == "bf16", "bench", "--precision must be f32 or bf16: got ", precision);
  Precision const chosen = precision == "bf16" ? Precision::bf16 : Precision::f32;
  if (where == "host") {
    detail::CudaHost backend({.precision = chosen});
    train(backend, flags);
  } else if (flags.set("smoke") && !Cuda<>::available()) {
    std::puts("skipped: this machine has no CUDA device");
  } else {
    Cuda<> backend({.precision = chosen});
    train(backend, flags);
    std::printf("weights on the device: %.2f GB\n", static_cast<double>(backend.weight_bytes()) / 1e9);
  }
  return 0;
}

}  // namespace graft::bench

int main(int argc, char** argv) {
  using namespace graft;
  try {
    return bench::run(bench::Flags(argc, argv, {{"geometry", "smollm2-135m"}, {"backend", "cuda"}, {"precision", "f32"}, {"sequences", "4"},
                                                {"length", "512"}, {"steps", "3"}, {"threads", ""}, {"smoke", ""}}));
  } catch (std::exception const& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
